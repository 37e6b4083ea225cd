"""A delete of a schedule that can be taken back for some seconds: it is stored, and done later.

Until then the schedule does not fire. Housekeeping deletes it when its time has come.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from runs import signals
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit, checks
from runs.lifecycle.transition import skip_locked
from runs.lifecycle.withdrawing import BATCH, SECONDS
from runs.models import PendingDelete, Schedule


def locked(schedule_id: str) -> Schedule:
    """The row to change; what code declares is changed by the code alone (SC-5)."""
    found = None
    if "\x00" not in schedule_id:
        found = Schedule.objects.select_for_update().filter(pk=schedule_id).first()
    if found is None:
        raise NotFound(f"There is no schedule {schedule_id[:60]}.")
    if found.is_declared:
        raise InvalidOption(
            "schedule",
            f"Schedule {schedule_id} is declared with task “{found.task_id}”; change it there.",
        )
    return found


@transaction.atomic
def delete_soon(schedule_id: str, *, actor: str, reason: str = "") -> PendingDelete:
    """Delete a schedule in some seconds. Asked for twice, the first stands. Raises NotFound."""
    checks.text("reason", reason)
    row = locked(schedule_id)
    known = PendingDelete.objects.filter(pk=row.pk).first()
    if known is not None:
        return known
    due = timezone.now() + timedelta(seconds=SECONDS)
    asked = PendingDelete.objects.create(
        schedule=row, due_at=due, actor=actor, reason=reason[:1000], next_at=row.next_at
    )
    row.next_at = None
    row.save(update_fields=["next_at", "updated_at"])
    audit.record(actor, "schedule.delete_soon", row.pk, reason=reason)
    return asked


@transaction.atomic
def withdraw_delete(schedule_id: str, *, actor: str) -> bool:
    """Let the schedule go on as if nothing had been said; False where it is too late."""
    row = Schedule.objects.select_for_update().filter(pk=schedule_id).first()
    return row is not None and take_back(row, actor)


def take_back(row: Schedule, actor: str) -> bool:
    """The same for a row that is locked: it fires again, also what was due meanwhile."""
    asked = PendingDelete.objects.filter(pk=row.pk).first()
    if asked is None:
        return False
    asked.delete()
    if row.active and row.next_at is None:
        row.next_at = asked.next_at
    row.save(update_fields=["next_at", "updated_at"])
    audit.record(actor, "schedule.delete_withdrawn", row.pk)
    transaction.on_commit(lambda: signals.runs_ready.send(sender=Schedule))
    return True


def delete_due() -> int:
    """Do what was not taken back in time. Returns how many."""
    due = PendingDelete.objects.filter(due_at__lte=timezone.now()).order_by("due_at")
    return sum(delete_now(pk) for pk in list(due.values_list("pk", flat=True)[:BATCH]))


@transaction.atomic
def delete_now(schedule_id: str) -> bool:
    """Do one at once; False where somebody else does, or nobody asked for it any more."""
    rows = Schedule.objects.select_for_update(**skip_locked()).filter(pk=schedule_id)
    row = rows.first()
    asked = PendingDelete.objects.filter(pk=schedule_id).first() if row else None
    if row is None or asked is None:
        return False
    remove(row, asked.actor, asked.reason)
    return True


def remove(row: Schedule, actor: str, reason: str) -> None:
    """Put on record what it was; the account of its fires goes with it."""
    facts = ("task_id", "cron", "timezone", "deduplication_key", "external_id")
    told = {name: getattr(row, name) for name in facts}
    audit.record(actor, "schedule.delete", row.pk, reason=reason, **told)
    row.delete()

"""A cancel of one run that can be taken back for some seconds: it is stored, and done later.

Housekeeping does it when its time has come, whoever closed which browser and whatever was restarted. A
run that stands in its queue is held there meanwhile, so that nothing starts that was to be canceled.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from runs import signals
from runs.errors import NotFound
from runs.lifecycle import audit, checks
from runs.lifecycle.canceling import cancel_alone, cancel_below
from runs.lifecycle.transition import skip_locked
from runs.models import NEVER, PendingCancel, Ready, Run
from runs.states import PENDING

#: How long it can be taken back.
SECONDS = 8.0
BATCH = 100


def cancel_soon(
    run_id: str, *, actor: str, reason: str = "", seconds: float = SECONDS
) -> PendingCancel | None:
    """Cancel a run in some seconds; None for one that has ended or is being canceled. Raises NotFound.

    One that was asked for before stays as it was asked for.
    """
    checks.text("reason", reason)
    with transaction.atomic():
        row, is_new = PendingCancel.objects.get_or_create(
            pk=run_id,
            defaults={
                "due_at": timezone.now() + timedelta(seconds=seconds),
                "actor": actor,
                "reason": reason[:1000],
            },
        )
        if not is_new:
            return row
        ready = Ready.objects.select_for_update().filter(pk=run_id).first()
        run = Run.objects.only("status", "cancel_requested_at").filter(pk=run_id).first()
        if run is None:
            raise NotFound(f"There is no run {run_id[:60]}.")
        if run.is_final or run.cancel_requested_at is not None:
            row.delete()
            return None
        if ready is not None and run.status in PENDING:
            row.held, row.ready_at = True, ready.not_before
            row.save(update_fields=["held", "ready_at"])
            Ready.objects.filter(pk=run_id).update(not_before=NEVER)
        audit.record(actor, "run.cancel_soon", run_id, reason=reason, status=run.status)
        _touch(run_id)
    return row


def withdraw_cancel(run_id: str, *, actor: str) -> bool:
    """Let the run go on as if nothing had been said; False where it is too late."""
    with transaction.atomic():
        row = PendingCancel.objects.select_for_update().filter(pk=run_id).first()
        if row is None:
            return False
        row.delete()
        if row.held:
            _let_go(run_id, row)
        audit.record(actor, "run.cancel_withdrawn", run_id)
        _touch(run_id)
    return True


def _let_go(run_id: str, row: PendingCancel) -> None:
    """Back to its place. Where it is held for another reason it stays so."""
    held = Ready.objects.filter(pk=run_id, not_before=NEVER)
    if row.ready_at != NEVER and held.update(not_before=row.ready_at):
        transaction.on_commit(lambda: signals.runs_ready.send(sender=Run))


def cancel_due() -> int:
    """Do what was not taken back in time. Returns how many."""
    due = PendingCancel.objects.filter(due_at__lte=timezone.now()).order_by("due_at")
    return sum(cancel_now(run_id) for run_id in list(due.values_list("pk", flat=True)[:BATCH]))


def cancel_now(run_id: str) -> bool:
    """Do one at once; False where somebody else does, or nobody asked for it."""
    with transaction.atomic():
        rows = PendingCancel.objects.select_for_update(**skip_locked()).filter(pk=run_id)
        row = rows.first()
        if row is None:
            return False
        row.delete()
        try:
            run = cancel_alone(run_id, actor=row.actor, reason=row.reason)
        except NotFound:
            return False  # it was pruned
    cancel_below(run, actor=row.actor)
    return True


def _touch(run_id: str) -> None:
    """Whoever looks at the run sees that something was said."""
    Run.objects.filter(pk=run_id).update(updated_at=timezone.now())

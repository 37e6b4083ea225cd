"""What people decide about how long runs are kept (DEC-50)."""

from collections.abc import Mapping

from django.db import transaction

from runs.errors import NotFound
from runs.lifecycle import ages, audit, checks
from runs.models import Pin, RetentionRule, Run


def in_force() -> dict[str, float]:
    """Days by status: what people said on the page, else the settings; 0 is for ever."""
    return ages.days() | dict(RetentionRule.objects.values_list("status", "days"))


def change(days: Mapping[str, float], *, actor: str, reason: str = "") -> dict[str, float]:
    """Keep runs of these statuses that long. What is as in the settings follows them again.

    Raises InvalidOption.
    """
    checks.text("reason", reason)
    before = in_force()
    after = ages.days({**before, **days})
    stated = ages.days()
    with transaction.atomic():
        for status, count in after.items():
            if count == stated[status]:
                RetentionRule.objects.filter(pk=status).delete()
            elif count != before[status]:
                facts = {"days": count, "changed_by": actor}
                RetentionRule.objects.update_or_create(pk=status, defaults=facts)
        changed = {one: after[one] for one in after if after[one] != before[one]}
        if changed:
            old = {one: before[one] for one in changed}
            audit.record(actor, "retention.change", "", reason=reason, old=old, new=changed)
    return after


def pin(run_id: str, *, actor: str, reason: str = "") -> None:
    """Keep a run however old it becomes, with what it is made of. Raises NotFound."""
    checks.text("reason", reason)
    with transaction.atomic():
        if not Run.objects.filter(pk=run_id).select_for_update().exists():
            raise NotFound(f"There is no run {run_id}.")
        _, made = Pin.objects.get_or_create(pk=run_id, defaults={"actor": actor, "reason": reason})
        if made:
            audit.record(actor, "run.pin", run_id, reason=reason)


def unpin(run_id: str, *, actor: str) -> None:
    """Let it go when its time comes."""
    with transaction.atomic():
        if Pin.objects.filter(pk=run_id).delete()[0]:
            audit.record(actor, "run.unpin", run_id)

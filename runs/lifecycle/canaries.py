"""The first replays of a bulk action, which have to succeed before the others are made."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from runs.lifecycle import bulkends
from runs.models import BulkAction, BulkRun, BulkStatus, Run
from runs.states import FINAL, RunStatus

#: How long until somebody looks again.
AGAIN = timedelta(seconds=2)


def let_pass(row: BulkAction) -> bool:
    """Whether more may be done; one that may not is put off, or paused because of its first ones."""
    if not row.canary or row.success + row.failure < row.canary:
        return True
    made = BulkRun.objects.filter(action_id=row.pk).values("run_id")
    statuses = list(Run.objects.filter(pk__in=made).values_list("status", flat=True))
    if any(status not in FINAL for status in statuses):
        _put(row, not_before=timezone.now() + AGAIN)
        return False
    bad = row.failure + sum(status != RunStatus.COMPLETED for status in statuses)
    if bad:
        told = f"{bad} of its first {row.canary} did not succeed. Resume it to go on all the same."
        with transaction.atomic():
            if _put(row, status=BulkStatus.PAUSED, canary=0, problem=told):
                bulkends.tell(row.pk)
        return False
    BulkAction.objects.filter(pk=row.pk).update(canary=0)
    row.canary = 0
    return True


def _put(row: BulkAction, **facts: object) -> bool:
    """Whether it could be written: not where it was paused, aborted or taken by somebody else meanwhile."""
    mine = BulkAction.objects.filter(
        pk=row.pk, claimed_until=row.claimed_until, status=BulkStatus.PENDING
    )
    if mine.update(claimed_until=None, **facts):
        return True
    BulkAction.objects.filter(pk=row.pk, claimed_until=row.claimed_until).update(claimed_until=None)
    return False

"""What is old goes, in small steps, with everything that hangs on it (DEC-50).

Only what nothing open refers to: a run goes after its children, and stays while its parent, its batch
or a run that waits for it is open, while its final hooks are owed and while its idempotency key holds.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from runs.lifecycle.ages import Ends, are_old
from runs.lifecycle.transition import skip_locked
from runs.models import (
    Attempt,
    Batch,
    BulkAction,
    BulkRun,
    Event,
    Failure,
    FinalHooks,
    Idempotency,
    Journal,
    Lease,
    LogLine,
    PendingCancel,
    Pin,
    Run,
    RunNote,
    RunTag,
    ScheduleTick,
    Span,
    Stream,
    StreamChunk,
    TickOutcome,
    Waiter,
    Waitpoint,
)
from runs.models.run import RunQuerySet
from runs.reads.windows import floor_id
from runs.states import FINAL, OPEN, EntryKind, RunStatus, TokenStatus

#: Rows of one kind in one transaction; a run has many rows, so fewer of them.
BATCH, RUNS = 1000, 100
#: Log lines removed in one statement.
LINES = 2000
#: Statuses of runs whose journal may still be read.
READING = OPEN - {RunStatus.PENDING_VERSION, RunStatus.DELAYED}


class Pruned(NamedTuple):
    """How many runs went, and before which id to go on; empty at the end."""

    gone: int
    before: str


def prune_ticks(before: datetime) -> int:
    """Forget what became of fires before a moment, but the last of each schedule. Returns how many."""
    last = ScheduleTick.objects.filter(schedule_id=OuterRef("schedule_id")).order_by("-at")
    old = ScheduleTick.objects.filter(at__lt=before, until__lt=before).exclude(
        outcome=TickOutcome.HELD
    )
    found = old.exclude(pk=last.values("pk")[:1]).order_by("pk").values_list("pk", flat=True)
    return _delete(ScheduleTick.objects.all(), list(found[:BATCH]))


def prune_keys() -> int:
    """Forget idempotency keys that hold no more. Returns how many."""
    over = Idempotency.objects.filter(expires_at__lte=timezone.now())
    found = over.order_by("expires_at").values_list("pk", flat=True)
    return _delete(over, list(found[:BATCH]))


def prune_batches(before: datetime) -> int:
    """Forget batches made before a moment whose runs have all gone. Returns how many."""
    empty = Batch.objects.filter(~Exists(Run.objects.filter(batch_id=OuterRef("pk"))))
    empty = empty.exclude(seals_by__gt=timezone.now())
    found = empty.filter(created_at__lt=before).order_by("created_at")
    return _delete(empty, list(found.values_list("pk", flat=True)[:BATCH]))


def prune_bulk_actions(before: datetime) -> int:
    """Forget bulk actions that ended before a moment and whose runs have all gone. Returns how many."""
    unused = BulkAction.objects.filter(~Exists(BulkRun.objects.filter(action_id=OuterRef("pk"))))
    found = unused.filter(completed_at__lt=before).order_by("pk")
    return _delete(unused, list(found.values_list("pk", flat=True)[:BATCH]))


def _delete(rows: QuerySet[Any], ids: list[Any]) -> int:
    """Those of `rows` that were looked for before a transaction: where nothing is old, none opens."""
    if not ids:
        return 0
    with transaction.atomic():
        locked = rows.filter(pk__in=ids).select_for_update(**skip_locked())
        mine = list(locked.values_list("pk", flat=True))
        return int(rows.filter(pk__in=mine).delete()[0])


def prune_runs(
    ended_before: datetime | Ends, before: str = "", kept: Collection[str] = frozenset()
) -> Pruned:
    """Remove runs that ended before a moment, or that of their status, among the next ones below `before`.

    From the newest to the oldest, so that children go before their parents. `kept` stay, see
    `looked_at`.
    """
    old = ended_before
    if isinstance(old, datetime):
        old = {str(status): old for status in FINAL}
    if not old:
        return Pruned(0, "")
    highest = min(filter(None, (before, floor_id("run", max(old.values())))))
    found = Run.objects.filter(pk__lt=highest).order_by("-pk").values_list("pk", flat=True)
    ids = list(found[:RUNS])
    count = 0
    while gone := _remove([run_id for run_id in ids if run_id not in kept], old):
        count += gone  # and then their parents, if they are among these
    return Pruned(count, ids[-1] if len(ids) == RUNS else "")


def looked_at() -> set[str]:
    """Runs that open ones have waited for and are not parents of: their bodies may look again.

    Asked once for a pass over all old runs. In parts, because the journal is large and known by run
    alone.
    """
    found: set[str] = set()
    readers = Run.objects.filter(status__in=READING, started_at__isnull=False).order_by("pk")
    last = ""
    while ids := list(readers.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH]):
        entries = Journal.objects.filter(run_id__in=ids, target__startswith="run_")
        others = entries.exclude(kind=EntryKind.CHILD).values_list("target", flat=True)
        found.update(str(target) for target in others)
        last = ids[-1]
    return found


def removable(ids: Sequence[str], old: Ends) -> QuerySet[Run]:
    """Of these runs, those that nothing refers to any more."""
    children = Run.objects.filter(parent_id=OuterRef("pk"))
    return unneeded(timezone.now()).filter(~Exists(children), are_old(old), pk__in=ids)


def unneeded(now: datetime) -> RunQuerySet:
    """Runs nothing open refers to; their children may be there."""
    open_runs = Run.objects.filter(finished_at__isnull=True)
    return Run.objects.filter(
        ~Exists(open_runs.filter(pk=OuterRef("parent_id"))),
        ~Exists(open_runs.filter(batch_id=OuterRef("batch_id"))),
        ~Exists(Waiter.objects.filter(target=OuterRef("pk"))),
        ~Exists(FinalHooks.objects.filter(run_id=OuterRef("pk"))),
        ~Exists(Lease.objects.filter(run_id=OuterRef("pk"))),
        ~Exists(Pin.objects.filter(run_id=OuterRef("pk"))),
        Q(idempotency_expires_at__isnull=True) | Q(idempotency_expires_at__lte=now),
    )


def _remove(ids: Sequence[str], old: Ends) -> int:
    found = set(removable(ids, old).values_list("pk", flat=True))
    if not found:
        return 0
    _remove_lines(found)
    with transaction.atomic():
        locked = Run.objects.filter(pk__in=found).select_for_update(**skip_locked())
        mine = [run.pk for run in locked.only("pk")]
        gone = list(removable(mine, old).values_list("pk", flat=True))
        if gone:
            _remove_rows(gone)
    return len(gone)


def _remove_lines(ids: Collection[str]) -> None:
    """Beforehand and in steps: one run may have more lines and spans than all else together."""
    models: tuple[Any, ...] = (LogLine, Span)
    for model in models:
        rows = model.objects.filter(run_id__in=ids)
        while some := list(rows.order_by().values_list("pk", flat=True)[:LINES]):
            part = model.objects.filter(pk__in=some)
            part._raw_delete(part.db)
    for place in Stream.objects.filter(run_id__in=ids).values("run_id", "is_input", "key"):
        chunks = StreamChunk.objects.filter(**place).order_by("number")
        while numbers := list(chunks.values_list("number", flat=True)[:LINES]):
            step = chunks.order_by().filter(number__lte=numbers[-1])
            step._raw_delete(step.db)


def _remove_rows(ids: list[str]) -> None:
    hanging: tuple[Any, ...] = (Attempt, BulkRun, Event, Failure, Idempotency, Journal)
    hanging += (LogLine, PendingCancel, RunNote, RunTag, Span, StreamChunk, Stream)
    for model in hanging:
        rows = model.objects.filter(run_id__in=ids)
        rows._raw_delete(rows.db)
    ended = Waitpoint.objects.filter(run_id__in=ids).exclude(status=TokenStatus.WAITING)
    ended.filter(~Exists(Waiter.objects.filter(target=OuterRef("pk")))).delete()
    Run.objects.filter(pk__in=ids).delete()


def oldest_kept(days: float) -> datetime | None:
    """The moment before which things go; None where they are kept for ever."""
    return timezone.now() - timedelta(days=days) if days > 0 else None

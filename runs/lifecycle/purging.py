"""Emptying queues: all runs of a selection that were never started are canceled (DEC-45)."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from runs import signals
from runs.errors import InvalidOption
from runs.lifecycle import audit, checks
from runs.lifecycle.transition import skip_locked
from runs.models import Event, EventKind, Ready, Run, Waiter
from runs.models.run import RunQuerySet
from runs.states import PENDING, RunStatus

#: Runs purged in one transaction.
BATCH = 500
PARKED = RunStatus.PENDING_VERSION
COLUMNS = {"queue": "queue", "task": "task_id", "key": "concurrency_key", "status": "status"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which runs; several values of one field mean any of them. `older_than` is seconds."""

    queue: Sequence[str] = ()
    task: Sequence[str] = ()
    tag: Sequence[str] = ()
    #: Concurrency keys.
    key: Sequence[str] = ()
    status: Sequence[str] = ()
    older_than: float | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What it asks for, without what it leaves open."""
        return {name: value for name, value in asdict(self).items() if value not in ((), [], None)}

    def runs(self) -> RunQuerySet:
        """They, in no order. Raises InvalidOption for a selection of everything, and odd values."""
        if not self.facts:
            names = ", ".join(asdict(self))
            raise InvalidOption("purge", f"Say which runs to purge, by one or more of {names}.")
        self._check()
        runs = Run.objects.all()
        for name, column in COLUMNS.items():
            if values := getattr(self, name):
                runs = runs.filter(**{f"{column}__in": list(values)})
        if self.tag:
            runs = runs.tagged(list(self.tag))
        if self.older_than is not None:
            oldest = timezone.now() - timedelta(seconds=self.older_than)
            runs = runs.filter(created_at__lte=oldest)
        return runs

    def _check(self) -> None:
        for name in ("queue", "task", "tag", "key"):
            for value in getattr(self, name):
                checks.text(name, value)
        if wrong := sorted(set(self.status) - PENDING):
            names = ", ".join(sorted(PENDING))
            raise InvalidOption("status", f"What can be purged is {names}; got {wrong[0]!r:.40}.")
        if self.older_than is not None and not 0 <= self.older_than <= checks.FAR_FUTURE:
            raise InvalidOption("older_than", "older_than must be between 0 seconds and 100 years.")


def purgeable(runs: RunQuerySet) -> RunQuerySet:
    """Those of these runs that were never started."""
    return runs.filter(status__in=PENDING, started_at__isnull=True)


def purge(
    runs: RunQuerySet,
    *,
    actor: str,
    reason: str = "",
    asked: object = None,
    most: int | None = None,
) -> int:
    """Cancel all of these that were never started and were there when it was called. Returns how many.

    One that a cluster claims meanwhile runs. Their idempotency keys stay taken, their `on_cancel` hooks
    run, and who waits for them is told, as after any cancel. `asked` is what the audit log says of the
    choice; there the purge is one entry. They are canceled some hundreds at a time, each such lot or none of it;
    after about `most` it stops.
    """
    checks.text("reason", reason)
    reason = reason or "Its queue was purged."
    left = purgeable(runs).filter(created_at__lte=timezone.now()).order_by("pk")
    done, last = 0, ""
    while found := list(left.filter(pk__gt=last).values_list("pk", "awaited")[:BATCH]):
        last = found[-1][0]
        done += sum(cancel_unstarted(ids, actor, reason) for ids in _groups(found))
        if most is not None and done >= most:
            break
    if done:
        audit.record(actor, "run.purge", "", reason=reason, count=done, asked=asked)
        transaction.on_commit(lambda: signals.runs_ready.send(sender=Run))
    return done


def _groups(found: Sequence[tuple[str, bool]]) -> Iterator[list[str]]:
    """What is canceled in one transaction each.

    An end wakes who waits for it, in the order of their ids. Two ends in one transaction would break
    that order, and might meet with another end that wakes the same two.
    """
    yield [run_id for run_id, awaited in found if not awaited]
    yield from ([run_id] for run_id, awaited in found if awaited)


@transaction.atomic
def cancel_unstarted(ids: Sequence[str], actor: str, reason: str) -> int:
    """Cancel those of these that were never started, and nobody waits for; how many.

    Ready rows before runs, as claims lock them; what somebody else has locked is on its way.
    """
    rows = Ready.objects.filter(pk__in=ids).order_by("pk").select_for_update(**skip_locked())
    ready = {row.pk for row in rows}
    found = Run.objects.filter(pk__in=ids, status__in=PENDING, started_at__isnull=True)
    locked = found.order_by("pk").select_for_update(**skip_locked()).values_list("pk", "status")
    mine = [run_id for run_id, status in locked if run_id in ready or status == PARKED]
    now = timezone.now()
    Ready.objects.filter(pk__in=mine).delete()
    Waiter.objects.filter(run_id__in=mine).delete()
    Run.objects.filter(pk__in=mine).update(
        status=RunStatus.CANCELED, reason=reason, finished_at=now, updated_at=now
    )
    told = {"kind": EventKind.CANCELED, "status": RunStatus.CANCELED, "at": now}
    Event.objects.bulk_create(
        Event(run_id=run_id, actor=actor, reason=reason, **told) for run_id in mine
    )
    return len(mine)

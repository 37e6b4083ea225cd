"""The attempts of a run: those that ended, the one that executes, and the one that waits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery

from runs.models import Attempt, Event, EventKind, Lease, Run
from runs.states import AttemptStatus, RunStatus

#: Events looked through for segments.
MOST_EVENTS = 4000
#: What the lease says of an attempt that executes.
LEASE = {
    "lease_attempt": "attempt",
    "lease_session": "session_id",
    "lease_pid": "pid",
    "lease_started_at": "started_at",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of an attempt between two waits; `ended_at` is None while it executes."""

    started_at: datetime
    ended_at: datetime | None
    session_id: str


def of(run: Run) -> list[Attempt]:
    """By number. The one that executes or waits is made from what is there and not stored."""
    # the lease first: an attempt that ends meanwhile is then seen twice and not never
    live = [live_attempt(lease) for lease in leases_of(run)]
    ended = list(Attempt.objects.filter(run_id=run.pk).order_by("number"))
    numbers = {attempt.number for attempt in ended}
    if run.status == RunStatus.WAITING or run.is_resuming:
        live.append(waiting_attempt(run))
    found = ended + [one for one in live if one is not None and one.number not in numbers]
    if run.waited_attempt:
        _begin_with_first_segments(run, found)
    return found


def columns() -> dict[str, Subquery]:
    """The lease of a run, to be asked for with the run itself."""
    lease = Lease.objects.filter(run_id=OuterRef("pk"))
    return {name: Subquery(lease.values(column)[:1]) for name, column in LEASE.items()}


def leases_of(run: Run) -> Iterable[Lease]:
    """The lease of a run that holds a slot; one that was asked for with `columns` has it."""
    if not run.holds_slot:
        return ()
    if not hasattr(run, "lease_attempt"):
        return Lease.objects.filter(pk=run.pk)
    if run.lease_attempt is None:
        return ()
    facts: dict[str, Any] = {column: getattr(run, name) for name, column in LEASE.items()}
    return (Lease(run_id=run.pk, **facts),)


def live_attempt(lease: Lease) -> Attempt | None:
    """The attempt a lease stands for; None before its body was entered."""
    if lease.started_at is None:
        return None
    return Attempt(
        run_id=lease.run_id,
        number=lease.attempt,
        status=AttemptStatus.EXECUTING,
        session_id=lease.session_id,
        pid=lease.pid,
        started_at=lease.started_at,
        segments="[]",
    )


def waiting_attempt(run: Run) -> Attempt:
    """The attempt a run will go on with."""
    return Attempt(
        run_id=run.pk,
        number=run.waited_attempt,
        status=AttemptStatus.WAITING,
        started_at=run.executed_at or run.created_at,
        segments="[]",
    )


def segments(run_id: str) -> dict[int, list[Segment]]:
    """The pieces of every attempt, by number, as the run's history tells them."""
    found: dict[int, list[Segment]] = {}
    for event in Event.objects.filter(run_id=run_id, attempt__gt=0).order_by("id")[:MOST_EVENTS]:
        of_attempt = found.setdefault(event.attempt, [])
        if event.kind == EventKind.STARTED:
            of_attempt.append(Segment(event.at, None, event.actor.removeprefix("session:")))
        elif of_attempt and of_attempt[-1].ended_at is None and event.kind in ENDS:
            last = of_attempt[-1]
            of_attempt[-1] = Segment(last.started_at, event.at, last.session_id)
    return found


#: What ends a segment.
ENDS = {
    EventKind.WAITING,
    EventKind.COMPLETED,
    EventKind.FAILED,
    EventKind.RETRIED,
    EventKind.CRASHED,
    EventKind.TIMED_OUT,
    EventKind.CANCELED,
    EventKind.RELEASED,
    EventKind.PARKED,
    EventKind.SYSTEM_FAILED,
}


def _begin_with_first_segments(run: Run, found: list[Attempt]) -> None:
    """An attempt began with its first segment; what is stored is when its last one did."""
    pieces = segments(run.pk)
    for attempt in found:
        if pieces.get(attempt.number):
            first = pieces[attempt.number][0]
            attempt.started_at = first.started_at
            attempt.session_id = attempt.session_id or first.session_id

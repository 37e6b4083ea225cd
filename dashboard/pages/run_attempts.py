"""The Attempts tab: a card for each, the newest first."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from dashboard import presenters
from dashboard.pages import tracebacks
from dashboard.pages.addresses import compared
from dashboard.pages.tracebacks import Failure
from runs.models import Attempt, Run, WorkerSession
from runs.reads import attempts
from runs.reads.attempts import Segment
from runs.states import AttemptStatus

#: Cards on one page; the newest ones.
MOST = 50


@dataclass(frozen=True, slots=True)
class AttemptCard:
    """One attempt with its look, error and worker."""

    attempt: Attempt
    look: presenters.Look
    failure: Failure | None
    session: WorkerSession | None
    took: timedelta
    #: From when it could have started until it did.
    stood: timedelta | None
    #: Its pieces between waits, and how long they executed together.
    segments: list[Segment]
    executed: timedelta
    #: Where it is compared with the one before.
    difference: str

    @property
    def is_waiting(self) -> bool:
        return bool(self.attempt.status == AttemptStatus.WAITING)


def context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the tab's template shows."""
    now = timezone.now()
    found = attempts.of(run)
    shown = found if request.GET.get("all") else found[-MOST:]
    ids = {attempt.session_id for attempt in shown}
    sessions = WorkerSession.objects.in_bulk(list(ids)) if ids else {}
    pieces = attempts.segments(run.pk) if run.waited_attempt else {}
    before = {one.number: one for one in found}
    cards = [
        card(run, one, before.get(one.number - 1), sessions, pieces.get(one.number, []), now)
        for one in reversed(shown)
    ]
    return {
        "cards": cards,
        "left_out": len(found) - len(shown),
        "is_full": request.GET.get("stack") == "full",
        "has_stack": any(one.failure and one.failure.frames for one in cards),
        "live_query": "stack=full" if request.GET.get("stack") == "full" else "",
        "failure": _own_failure(run) if run.is_final and not cards else None,
    }


def card(  # what it is made of
    run: Run,
    attempt: Attempt,
    before: Attempt | None,
    sessions: dict[Any, WorkerSession],
    segments: list[Segment],
    now: datetime,
) -> AttemptCard:
    return AttemptCard(
        attempt=attempt,
        look=presenters.attempt_look(attempt),
        failure=tracebacks.read(attempt.error),
        session=sessions.get(attempt.session_id),
        took=max((attempt.finished_at or now) - attempt.started_at, timedelta()),
        stood=stood(run, attempt, before),
        segments=segments,
        executed=executed(segments, now),
        difference=compared(run.pk, attempt.number) if before else "",
    )


def stood(run: Run, attempt: Attempt, before: Attempt | None) -> timedelta | None:
    """In the queue, or after its retry was due."""
    due = before.retry_at if before else run.queued_at
    return None if due is None else max(attempt.started_at - due, timedelta())


def executed(segments: list[Segment], now: datetime) -> timedelta:
    return sum(((one.ended_at or now) - one.started_at for one in segments), timedelta())


def _own_failure(run: Run) -> Failure | None:
    """Of a run that ended before any attempt."""
    return tracebacks.read(Run.objects.values_list("error", flat=True).get(pk=run.pk))

"""What each tab of the run page needs from the database, and nothing else."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from dashboard import presenters
from dashboard.pages import documents, run_facts, run_journal, run_logs, run_trace, tracebacks
from dashboard.pages.tracebacks import Failure
from runs.models import Attempt, Event, Run, WorkerSession
from runs.reads import attempts
from runs.reads.attempts import Segment
from runs.states import AttemptStatus

TABS = (
    ("overview", "Overview"),
    ("trace", "Trace"),
    ("data", "Payload & output"),
    ("logs", "Logs"),
    ("journal", "Steps & waits"),
    ("timeline", "Timeline"),
    ("detail", "Detail"),
)
EVENTS = 500
RELATIVES = 50


@dataclass(frozen=True, slots=True)
class AttemptCard:
    """One attempt with its look, error and worker."""

    attempt: Attempt
    look: presenters.Look
    failure: Failure | None
    host: str
    took: timedelta
    #: Its pieces between waits, and how long they executed together.
    segments: list[Segment]
    executed: timedelta

    @property
    def is_waiting(self) -> bool:
        return bool(self.attempt.status == AttemptStatus.WAITING)


def find(name: str) -> str:
    """The tab called `name`, or the first."""
    return name if name in dict(TABS) else TABS[0][0]


def context(tab: str, run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the template of `tab` shows."""
    return _READERS[tab](run, request)


def _overview(run: Run, request: HttpRequest) -> dict[str, Any]:
    found = attempts.of(run)[::-1]
    ids = {attempt.session_id for attempt in found}
    hosts = dict(WorkerSession.objects.filter(id__in=ids).values_list("id", "host"))
    now = timezone.now()
    pieces = attempts.segments(run.pk) if run.waited_attempt else {}
    cards = [
        AttemptCard(
            attempt=attempt,
            look=presenters.attempt_look(attempt),
            failure=tracebacks.read(attempt.error),
            host=hosts.get(attempt.session_id, ""),
            took=(attempt.finished_at or now) - attempt.started_at,
            segments=pieces.get(attempt.number, []),
            executed=_executed(pieces.get(attempt.number, []), now),
        )
        for attempt in found
    ]
    return {
        "cards": cards,
        "failure": tracebacks.read(run.error) if run.is_final and not cards else None,
    }


def _executed(segments: list[Segment], now: datetime) -> timedelta:
    return sum(((one.ended_at or now) - one.started_at for one in segments), timedelta())


def _data(run: Run, request: HttpRequest) -> dict[str, Any]:
    row = Run.objects.only(*Run.objects.all().HEAVY).get(pk=run.pk)
    formatted = request.GET.get("view") == "formatted"
    parts = [
        (name, title, documents.show(text, name, formatted=formatted) if text is not None else None)
        for name, title, text in (
            ("payload", "Payload", row.payload),
            ("output", "Output", row.output),
            ("metadata", "Metadata", row.metadata),
        )
    ]
    return {"documents": parts, "formatted": formatted}


def _timeline(run: Run, request: HttpRequest) -> dict[str, Any]:
    events = list(Event.objects.filter(run_id=run.id).order_by("id")[:EVENTS])
    first = events[0].at if events else run.created_at
    steps = [
        (event, presenters.LOOKS[event.status], event.at - first, _linked_run(event))
        for event in events
    ]
    return {"steps": steps, "is_capped": len(events) == EVENTS}


def _detail(run: Run, request: HttpRequest) -> dict[str, Any]:
    row = Run.objects.light().get(pk=run.pk)
    return {
        "facts": run_facts.facts(row),
        "relatives": [
            ("Children", _related(parent_id=run.id), f"parent={run.id}&period=all"),
            ("Replays", _related(replayed_from_id=run.id), f"origin={run.id}&period=all"),
        ],
    }


def _related(**link: str) -> list[tuple[Run, presenters.Look]]:
    runs = Run.objects.light().filter(**link).order_by("id")[:RELATIVES]
    return [(run, presenters.look(run)) for run in runs]


def _linked_run(event: Event) -> str:
    try:
        data = json.loads(event.data) if event.data else {}
    except ValueError:
        return ""
    return str(data.get("run_id", "")) if isinstance(data, dict) else ""


_READERS: dict[str, Callable[[Run, HttpRequest], dict[str, Any]]] = {
    "overview": _overview,
    "trace": run_trace.context,
    "data": _data,
    "logs": run_logs.context,
    "journal": run_journal.context,
    "timeline": _timeline,
    "detail": _detail,
}

"""What each tab of the run page needs from the database, and nothing else."""

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from dashboard import permissions, presenters, sight
from dashboard.pages import (
    run_attempts,
    run_context,
    run_data,
    run_facts,
    run_journal,
    run_logs,
    run_streams,
    run_trace,
)
from dashboard.templatetags.trackside import who
from runs.lifecycle.annotating import OPEN
from runs.models import Event, Pin, Run, RunNote, WorkerSession

TABS = (
    ("trace", "Trace"),
    ("attempts", "Attempts"),
    ("payload", "Payload & output"),
    ("logs", "Logs"),
    ("detail", "Detail"),
    ("context", "Context"),
    ("journal", "Steps & waits"),
    ("history", "History"),
    ("streams", "Streams"),
)
EVENTS = 500
RELATIVES = 50


def find(name: str) -> str:
    """The tab called `name`, or the first."""
    return name if name in dict(TABS) else TABS[0][0]


def context(tab: str, run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the template of `tab` shows."""
    return {"body": f"dashboard/run/_{tab}.html"} | _READERS[tab](run, request)


def _timeline(run: Run, request: HttpRequest) -> dict[str, Any]:
    events = list(Event.objects.filter(run_id=run.id).order_by("id")[:EVENTS])
    first = events[0].at if events else run.created_at
    hosts = _hosts(events)
    steps = [
        (
            event,
            presenters.LOOKS[event.status],
            event.at - first,
            _linked_run(event),
            _by(event, hosts),
        )
        for event in events
    ]
    return {"steps": steps, "is_capped": len(events) == EVENTS}


def _hosts(events: list[Event]) -> dict[str, str]:
    """The machine of each worker that acted, as far as it is on record."""
    kinds = [event.actor.partition(":") for event in events]
    ids = {name for kind, _, name in kinds if kind == "session"}
    if not ids:
        return {}
    return dict(WorkerSession.objects.filter(pk__in=ids).values_list("pk", "host"))


def _by(event: Event, hosts: dict[str, str]) -> str:
    """Whose doing it was: a machine's, or somebody's."""
    kind, _, name = event.actor.partition(":")
    if kind == "session":
        return f"on {hosts.get(name) or presenters.short_id(name)}"
    return f"by {who(event.actor)}" if event.actor else ""


def _detail(run: Run, request: HttpRequest) -> dict[str, Any]:
    row = Run.objects.light().get(pk=run.pk)
    return {
        "facts": run_facts.facts(row),
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        "is_noted": run.finished_at is None or timezone.now() - run.finished_at < OPEN,
        "notes": told_notes(run),
        "pin": Pin.objects.filter(pk=run.pk).first(),
        "is_final": run.is_final,
        "relatives": [
            ("Children", _related(parent_id=run.id), f"parent={run.id}&period=all"),
            ("Replays", _related(replayed_from_id=run.id), f"origin={run.id}&period=all"),
        ],
    }


def told_notes(run: Run) -> list[tuple[RunNote, str]]:
    """What people wrote, the oldest first, with what is redacted masked."""
    if not getattr(run, "notes_count", True):
        return []
    return [(note, sight.text(note.text)) for note in RunNote.objects.filter(run_id=run.id)]


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
    "trace": run_trace.context,
    "attempts": run_attempts.context,
    "payload": run_data.context,
    "logs": run_logs.context,
    "journal": run_journal.context,
    "history": _timeline,
    "detail": _detail,
    "context": run_context.context,
    "streams": run_streams.context,
}

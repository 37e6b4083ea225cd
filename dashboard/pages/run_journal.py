"""What a run remembers, as its tab shows it."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from dashboard import presenters, sight
from dashboard.pages import documents
from dashboard.presenters import Look
from runs.models import Journal, Run
from runs.reads import waits
from runs.reads.waits import Remembered
from runs.states import EntryKind

#: Characters of a result shown.
RESULT = 2000
#: What is named by its kind; others have a name of their own.
TITLES: dict[str, str] = {
    EntryKind.WAIT: "Wait",
    EntryKind.FOR: "Wait for",
    EntryKind.FIRST: "First of several",
    EntryKind.TOKEN: "Wait token made",
}
DONE = Look("Done", "completed", "ok", "Its result is recorded.")
FAILED = Look("Failed", "failed", "bad", "Remembered within this attempt only.")
OPEN = Look("Waiting", "waiting", "parked", "Has not ended yet.")


@dataclass(frozen=True, slots=True)
class Line:
    """One entry on screen."""

    entry: Journal
    look: Look
    title: str
    #: Empty where the title says it.
    kind: str
    result: documents.Document | None
    error: str
    run_id: str
    token_id: str
    #: A wait whose time is over or counts down.
    is_timed: bool


def context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the tab's template shows."""
    found = waits.journal(run.pk)
    return {
        "lines": [line(one) for one in found],
        "is_capped": len(found) == waits.ENTRIES,
        "differences": [told(one) for one in waits.differences(run.pk)],
    }


def line(one: Remembered) -> Line:
    entry = one.entry
    look = FAILED if one.is_failed else OPEN if one.is_open else DONE
    if one.run is not None:
        look = presenters.look(one.run)
    text = entry.result if entry.kind != EntryKind.TOKEN else None
    return Line(
        entry=entry,
        look=look,
        title=title(entry),
        kind="" if entry.kind in TITLES else entry.get_kind_display(),
        result=None if text is None else documents.show(text, "result", most=RESULT),
        error=message(entry.error),
        run_id=one.run.pk if one.run else "",
        token_id=one.token.pk if one.token else token_of(entry),
        is_timed=entry.kind == EntryKind.WAIT and entry.due_at is not None,
    )


def title(entry: Journal) -> str:
    """Its kind for a wait of the body itself; the pauses between tries say whose they are."""
    if entry.kind == EntryKind.WAIT and entry.name.startswith("retry."):
        return entry.name
    return TITLES.get(entry.kind, entry.name)


def token_of(entry: Journal) -> str:
    if entry.kind != EntryKind.TOKEN:
        return ""
    return str(json.loads(entry.result or "{}").get("id", ""))


def message(error: str | None) -> str:
    if not error:
        return ""
    facts = json.loads(error)
    if sight.is_hidden():
        return str(facts.get("name"))
    return sight.text(f"{facts.get('name')}: {facts.get('message')}")


def told(entry: Journal) -> str:
    """A difference as a sentence."""
    kind, _, name = entry.name.partition(":")
    what = f"{EntryKind(kind).label} “{name}” #{entry.ordinal}" if name else EntryKind(kind).label
    facts = json.loads(entry.result or "{}")
    if facts.get("now") is None:
        return f"{what} is recorded and was not reached again: the code has changed, or took another way."
    if sight.is_hidden():
        return f"{what} was called with other values than those recorded. The record counts."
    now, was = (sight.document(str(facts[name]), "payload") for name in ("now", "was"))
    return f"{what} was called with {now:.300}, recorded was {was:.300}. The record counts."

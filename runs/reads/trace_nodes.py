"""The pieces a trace is made of."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from runs import tracing
from runs.states import RunStatus

OPEN, OK, ERROR, CANCELED, CUT, WAITING = "open", "ok", "error", "canceled", "cut", "waiting"
ENDED = {RunStatus.COMPLETED: OK, RunStatus.CANCELED: CANCELED}


class SpanEvent(NamedTuple):
    """Something that happened while a span was open."""

    at: datetime
    name: str
    attributes: dict[str, Any]

    @classmethod
    def of(cls, nanoseconds: int, name: str, attributes: dict[str, Any]) -> Self:
        """As it is stored."""
        return cls(datetime.fromtimestamp(nanoseconds / 1_000_000_000, UTC), name, attributes)

    @property
    def facts(self) -> dict[str, Any]:
        return {"name": self.name, "at": self.at.isoformat(), "attributes": self.attributes}


@dataclass(slots=True)
class Node:
    """A piece of a trace. `state` is one of the words above; `cut`: nobody told its end."""

    id: str
    parent_id: str
    kind: str
    name: str
    state: str
    started_at: datetime
    ended_at: datetime | None = None
    attempt: int = 0
    error: str = ""
    #: JSON text.
    attributes: str = ""
    #: The run or token it is about.
    target: str = ""
    #: Of a run: its status, and when it was claimed first.
    status: str = ""
    begun_at: datetime | None = None
    #: Of an attempt that failed: when the next one began or is due.
    rests_until: datetime | None = None
    depth: int = 0
    children: list["Node"] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def is_awaited(self) -> bool:
        """The run goes on after it: nothing of its own executes while it is open."""
        return self.kind == "wait" or (self.kind == "child" and self.id != self.target)

    @property
    def told(self) -> tuple[dict[str, Any], list["SpanEvent"]]:
        """Its attributes and its events."""
        found: dict[str, Any] = json.loads(self.attributes) if self.attributes else {}
        events = found.pop(tracing.EVENTS, []) if tracing.EVENTS in found else []
        return found, [SpanEvent.of(*one) for one in events]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything about it as plain values."""
        attributes, events = self.told
        return {
            "id": self.id,
            "parent_id": self.parent_id or None,
            "kind": self.kind,
            "name": self.name,
            "status": self.state,
            "attempt": self.attempt or None,
            "started_at": self.started_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "error": self.error or None,
            "attributes": attributes,
            "events": [event.facts for event in events],
            "target": self.target or None,
        }


def message(error: str | None) -> str:
    """A stored error in one line."""
    if not error:
        return ""
    facts = json.loads(error)
    return f"{facts.get('name')}: {facts.get('message')}"[:1000]

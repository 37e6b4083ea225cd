"""The rows of new runs: an item, its task's defaults and the moment of the trigger."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from runs.errors import InvalidOption
from runs.lifecycle import definitions
from runs.lifecycle.definitions import TaskFacts
from runs.lifecycle.keys import hashed
from runs.lifecycle.options import TriggerItem
from runs.lifecycle.overlapping import ALLOW, HOLDING, lane
from runs.lifecycle.store import Bucket
from runs.machines import lane_of
from runs.models import Run, Source
from runs.states import RunStatus

PARKED = RunStatus.PENDING_VERSION
#: Columns a new run has zero or empty; every other one not named below is NULL.
NEW: dict[str, Any] = {str(field.column): None for field in Run._meta.concrete_fields} | {
    "attempt_number": 0,
    "uncounted_attempts": 0,
    "version_asked": False,
    "crash_count": 0,
    "idempotency_scope": "",
    "depth": 0,
    "usage_ms": 0,
    "awaited": False,
    "waited_attempt": 0,
    "attempt_ms": 0,
    "done_token": "",
    "lane": 0,
}
BROKEN = "The task's file failed to import; it runs once a version that imports is there."
UNKNOWN = "No cluster has registered this task yet."


@dataclass(slots=True)
class Family:
    """Parents of new runs, by id."""

    #: What their children take over from each.
    lineages: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: When each joined its queue (microseconds since 1970): its awaited children come then.
    turns: dict[str, int] = field(default_factory=dict)
    #: The version each is locked to: its awaited children are too.
    versions: dict[str, str] = field(default_factory=dict)

    def trim(self, most: int) -> None:
        """Forget everybody when there are more than `most`."""
        if len(self.lineages) > most:
            self.lineages.clear()
            self.turns.clear()
            self.versions.clear()


@dataclass(slots=True)
class Maker:
    """Who triggers, and when; remembers the parents and queues its runs have in common."""

    now: datetime
    source: Source
    actor: str
    family: Family = field(default_factory=Family)
    queues: dict[str, int] = field(default_factory=dict)
    #: A parent was asked to stop before it triggered this.
    is_stopping: bool = False

    def lineage(self, parent_id: str | None) -> dict[str, Any]:
        """What a child takes over from its parent."""
        if parent_id is None:
            return {}
        lineages = self.family.lineages
        if parent_id not in lineages:
            parent = _parent(parent_id)
            lineages[parent_id] = _lineage(parent_id, parent)
            self.family.turns[parent_id] = parent["sort_key"] + int(parent["priority"] * 1_000_000)
            self.family.versions.setdefault(parent_id, parent["version"])
            canceled = parent["status"] == RunStatus.CANCELED or parent["cancel_requested_at"]
            self.is_stopping = self.is_stopping or bool(canceled)
        return lineages[parent_id]

    def queue_id(self, name: str, task_id: str) -> int:
        """The queue's id; raises UnknownQueue."""
        if name not in self.queues:
            self.queues[name] = definitions.queue_id(name, task_id=task_id)
        return self.queues[name]


def _parent(parent_id: str) -> dict[str, Any]:
    facts = ("root_id", "depth", "is_test", "status", "cancel_requested_at", "version")
    parent = Run.objects.filter(pk=parent_id).values(*facts, "sort_key", "priority").first()
    if parent is None:
        raise InvalidOption("parent_id", f"There is no run {parent_id} to be the parent.")
    return dict(parent)


def _lineage(parent_id: str, parent: dict[str, Any]) -> dict[str, Any]:
    lineage: dict[str, Any] = {"parent_id": parent_id, "root_id": parent["root_id"] or parent_id}
    lineage["depth"] = parent["depth"] + 1
    return lineage | ({"is_test": True} if parent["is_test"] else {})


class Plan:
    """What all items of one task with the same options have in common: every column but two."""

    __slots__ = (
        "bucket", "due", "facts", "lane", "options", "overlap", "queue", "row", "status", "tags",
        "task_id",
    )  # fmt: skip

    def __init__(self, item: TriggerItem, facts: TaskFacts, maker: Maker) -> None:
        self.task_id, self.options, self.facts = item.task_id, item.options, facts
        options = item.options
        self.queue = options.queue or facts.queue
        self.tags = sorted(set(facts.tags if options.tags is None else options.tags))
        delay = options.debounce.delay if options.debounce else options.delay
        self.due = due_at(delay, maker.now)
        self.status = self._status()
        self.overlap = options.overlap or facts.overlap
        self.lane = None
        if facts.overlap != ALLOW:
            self.lane = lane(item.task_id, options.concurrency_key)
        self.bucket = self._bucket(maker.queue_id(self.queue, item.task_id))
        self.row = NEW | self._asked() | self._placed(maker.now) | self._key(maker.now) | {
            "is_test": options.is_test,
            "awaited": options.awaited or facts.overlap in HOLDING,
            "overlap_lane": self.lane,
            "batch_id": options.batch_id,
            "parent_token": options.parent_token,
            "source": maker.source.value,
            "actor": maker.actor,
            **maker.lineage(options.parent_id),
        }  # fmt: skip
        if options.awaited and options.parent_id is not None:
            self._join(options.parent_id, maker)

    def _join(self, parent_id: str, maker: Maker) -> None:
        """Its parent waits for it: on the same version, and before runs triggered after the parent."""
        self.row["version"] = self.options.version or maker.family.versions[parent_id]
        if self.due is None:  # features.md PR-4
            turn = maker.family.turns[parent_id]
            self.row["sort_key"] = turn - int(self.row["priority"] * 1_000_000)

    def _status(self) -> RunStatus:
        if not self.facts.known or self.facts.broken:
            return PARKED
        return RunStatus.DELAYED if self.due else RunStatus.QUEUED

    @property
    def reason(self) -> str:
        if self.status != PARKED:
            return ""
        return BROKEN if self.facts.broken else UNKNOWN

    def _asked(self) -> dict[str, Any]:
        """What to execute, and under which rules."""
        options, facts = self.options, self.facts
        attempts = facts.max_attempts if options.max_attempts is None else options.max_attempts
        duration = facts.max_duration if options.max_duration is None else options.max_duration
        machine = options.machine or facts.machine
        return {
            "task_id": self.task_id,
            "metadata": options.metadata,
            "seed_metadata": options.metadata,
            "tags": json.dumps(self.tags),
            "max_attempts": max(int(attempts), 1),
            "max_duration": duration or None,
            "machine": machine,
            "lane": lane_of(machine, int(facts.lane)),
            "version": options.version or "",
            "version_asked": bool(options.version),
            "schedule_id": options.schedule_id,
            "debounce": options.debounce.text if options.debounce else None,
            "traceparent": options.traceparent,
            "tracestate": options.tracestate,
        }

    def _placed(self, now: datetime) -> dict[str, Any]:
        """Where it stands, and when its turn is."""
        options, facts = self.options, self.facts
        priority = facts.priority if options.priority is None else options.priority
        ttl = (facts.ttl if options.ttl is None else options.ttl) or None
        queued = self.status == RunStatus.QUEUED
        turn = self.due or options.turn or now
        return {
            "status": self.status.value,
            "reason": self.reason,
            "queue": self.queue,
            "concurrency_key": options.concurrency_key,
            "priority": priority,
            "sort_key": int((turn.timestamp() - priority) * 1_000_000),
            "ttl": ttl,
            "created_at": now,
            "queued_at": now if queued else None,
            "delay_until": self.due,
            "expires_at": now + timedelta(seconds=ttl) if ttl and queued else None,
            "updated_at": now,
        }

    def _key(self, now: datetime) -> dict[str, Any]:
        options = self.options
        if options.idempotency_key is None:
            return {}
        return {
            "idempotency_key": options.idempotency_key,
            "idempotency_scope": options.idempotency_scope,
            "idempotency_expires_at": now + timedelta(seconds=options.idempotency_ttl),
        }

    def _bucket(self, queue_id: int) -> Bucket | None:
        """Where in which queue; None for a run that waits for a version."""
        key = self.options.concurrency_key
        return Bucket(self.queue, queue_id, key, hashed(key)) if self.status != PARKED else None


def due_at(delay: float | datetime | None, now: datetime) -> datetime | None:
    """When the delay is over; None for none and for a moment that has passed (DE-2)."""
    if delay is None:
        return None
    due = delay if isinstance(delay, datetime) else now + timedelta(seconds=delay)
    return due if due > now else None

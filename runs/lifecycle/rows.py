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
from runs.models import Run, Source
from runs.states import RunStatus

#: Columns a new run has zero or empty; every other one not named below is NULL.
NEW: dict[str, Any] = {str(field.column): None for field in Run._meta.concrete_fields} | {
    "attempt_number": 0,
    "uncounted_attempts": 0,
    "crash_count": 0,
    "idempotency_scope": "",
    "depth": 0,
    "usage_ms": 0,
    "done_token": "",
}
BROKEN = "The task's file failed to import; it runs once a version that imports is there."
UNKNOWN = "No cluster has registered this task yet."


@dataclass(slots=True)
class Maker:
    """Who triggers, and when; remembers the parents its runs have in common."""

    now: datetime
    source: Source
    actor: str
    parents: dict[str, dict[str, Any]] = field(default_factory=dict)

    def lineage(self, parent_id: str | None) -> dict[str, Any]:
        """What a child takes over from its parent."""
        if parent_id is None:
            return {}
        if parent_id not in self.parents:
            self.parents[parent_id] = _lineage(parent_id)
        return self.parents[parent_id]


def _lineage(parent_id: str) -> dict[str, Any]:
    parent = Run.objects.filter(pk=parent_id).values("root_id", "depth", "is_test").first()
    if parent is None:
        raise InvalidOption("parent_id", f"There is no run {parent_id} to be the parent.")
    lineage: dict[str, Any] = {"parent_id": parent_id, "root_id": parent["root_id"] or parent_id}
    lineage["depth"] = parent["depth"] + 1
    return lineage | ({"is_test": True} if parent["is_test"] else {})


class Plan:
    """One item with its task's defaults filled in and its queue resolved."""

    __slots__ = ("due", "facts", "item", "queue", "queue_id", "status", "tags")

    def __init__(self, item: TriggerItem, facts: TaskFacts, now: datetime) -> None:
        options = item.options
        self.item, self.facts = item, facts
        self.queue = options.queue or facts.queue
        self.queue_id = definitions.queue_id(self.queue, task_id=item.task_id)
        self.tags = sorted(set(facts.tags if options.tags is None else options.tags))
        self.due = _due(options.delay, now)
        if not facts.known or facts.broken:
            self.status = RunStatus.PENDING_VERSION
        else:
            self.status = RunStatus.DELAYED if self.due else RunStatus.QUEUED

    @property
    def reason(self) -> str:
        if self.status != RunStatus.PENDING_VERSION:
            return ""
        return BROKEN if self.facts.broken else UNKNOWN

    def run(self, run_id: str, maker: Maker) -> dict[str, Any]:
        """Every column of the new run."""
        return NEW | self._asked() | self._placed(maker.now) | self._key(maker.now) | {
            "id": run_id,
            "is_test": self.item.options.is_test,
            "source": maker.source.value,
            "actor": maker.actor,
            **maker.lineage(self.item.options.parent_id),
        }  # fmt: skip

    def _asked(self) -> dict[str, Any]:
        """What to execute, and under which rules."""
        options, facts = self.item.options, self.facts
        attempts = facts.max_attempts if options.max_attempts is None else options.max_attempts
        duration = facts.max_duration if options.max_duration is None else options.max_duration
        return {
            "task_id": self.item.task_id,
            "payload": self.item.payload,
            "metadata": options.metadata,
            "seed_metadata": options.metadata,
            "tags": json.dumps(self.tags),
            "max_attempts": max(int(attempts), 1),
            "max_duration": duration or None,
            "machine": options.machine or facts.machine,
            "version": options.version or "",
        }

    def _placed(self, now: datetime) -> dict[str, Any]:
        """Where it stands, and when its turn is."""
        options, facts = self.item.options, self.facts
        priority = facts.priority if options.priority is None else options.priority
        ttl = (facts.ttl if options.ttl is None else options.ttl) or None
        queued = self.status == RunStatus.QUEUED
        return {
            "status": self.status.value,
            "reason": self.reason,
            "queue": self.queue,
            "concurrency_key": options.concurrency_key,
            "priority": priority,
            "sort_key": int(((self.due or now).timestamp() - priority) * 1_000_000),
            "ttl": ttl,
            "created_at": now,
            "queued_at": now if queued else None,
            "delay_until": self.due,
            "expires_at": now + timedelta(seconds=ttl) if ttl and queued else None,
            "updated_at": now,
        }

    def _key(self, now: datetime) -> dict[str, Any]:
        options = self.item.options
        if options.idempotency_key is None:
            return {}
        return {
            "idempotency_key": options.idempotency_key,
            "idempotency_scope": options.idempotency_scope,
            "idempotency_expires_at": now + timedelta(seconds=options.idempotency_ttl),
        }

    def ready(self, run_id: str, sort_key: int) -> dict[str, Any]:
        """Its place in the queue."""
        key = self.item.options.concurrency_key
        return {
            "run_id": run_id,
            "queue_id": self.queue_id,
            "concurrency_key": key,
            "key_hash": hashed(key),
            "sort_key": sort_key,
            "not_before": self.due,
        }


def _due(delay: float | datetime | None, now: datetime) -> datetime | None:
    """When the delay is over; None for none and for a moment that has passed (DE-2)."""
    if delay is None:
        return None
    due = delay if isinstance(delay, datetime) else now + timedelta(seconds=delay)
    return due if due > now else None

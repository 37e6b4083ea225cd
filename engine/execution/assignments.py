"""What a worker gets to execute: one attempt of one run, with nothing left to look up."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from django.utils import timezone

from engine.sdk.context import (
    AttemptInfo,
    Context,
    EnvironmentInfo,
    MachineInfo,
    QueueInfo,
    RunInfo,
    TaskInfo,
)
from engine.sdk.machines import PRESETS
from runs import conf

if TYPE_CHECKING:
    from runs.lifecycle import store


def _now() -> datetime:
    return timezone.now().astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One attempt. Attempts before it that were not the task's fault are `uncounted`.

    `payload` and `metadata` are JSON text or None. `started_at` is this attempt's start,
    `run_started_at` the first one's.
    """

    run_id: str
    task_id: str
    attempt: int
    payload: str | None = None
    tags: tuple[str, ...] = ()
    is_test: bool = False
    queue: str = ""
    concurrency_key: str | None = None
    priority: float = 0.0
    max_attempts: int = 1
    uncounted: int = 0
    max_duration: float | None = None
    machine: str = "small-1x"
    version: str = ""
    created_at: datetime | None = None
    started_at: datetime = field(default_factory=_now)
    run_started_at: datetime | None = None
    parent_id: str | None = None
    root_id: str | None = None
    replayed_from_id: str | None = None
    idempotency_key: str | None = None
    idempotency_scope: str | None = None
    metadata: str | None = None

    @classmethod
    def of(cls, stored: "store.Assignment") -> Self:
        """The assignment of a run that was just started."""
        facts = stored._asdict()
        del facts["token"]
        return cls(
            **facts
            | {
                "tags": tuple(json.loads(facts["tags"])),
                "uncounted": facts.pop("uncounted_attempts"),
                "started_at": _now(),
                "run_started_at": stored.started_at,
            }
        )

    @property
    def tries(self) -> int:
        """How many tries this is, the ones that do not count left out."""
        return self.attempt - self.uncounted


def context_of(assignment: Assignment, file_path: str) -> Context:
    """The `ctx` of an attempt."""
    machine = PRESETS[assignment.machine]
    environment = conf.get("ENVIRONMENT")
    return Context(
        run=run_info(assignment),
        task=TaskInfo(assignment.task_id, file_path),
        attempt=AttemptInfo(assignment.attempt, assignment.started_at),
        queue=QueueInfo(assignment.queue),
        environment=EnvironmentInfo(environment["name"], environment["kind"]),
        machine=MachineInfo(machine.name, machine.cpu, machine.memory),
    )


def run_info(assignment: Assignment) -> RunInfo:
    return RunInfo(
        id=assignment.run_id,
        tags=assignment.tags,
        is_test=assignment.is_test,
        is_replay=assignment.replayed_from_id is not None,
        created_at=assignment.created_at,
        started_at=assignment.run_started_at or assignment.started_at,
        idempotency_key=assignment.idempotency_key,
        idempotency_key_scope=assignment.idempotency_scope,
        max_attempts=assignment.max_attempts,
        max_duration=assignment.max_duration,
        version=assignment.version,
        priority=assignment.priority,
        concurrency_key=assignment.concurrency_key,
        metadata=None if assignment.metadata is None else json.loads(assignment.metadata),
        parent_task_run_id=assignment.parent_id,
        root_task_run_id=assignment.root_id,
        replayed_from_id=assignment.replayed_from_id,
    )

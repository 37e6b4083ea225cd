"""What a worker gets to execute: one attempt of one run, with nothing left to look up."""

import json
from datetime import datetime
from functools import cache
from typing import NamedTuple

from django.utils import timezone

from engine.sdk.context import (
    AttemptInfo,
    BatchInfo,
    Context,
    EnvironmentInfo,
    MachineInfo,
    QueueInfo,
    RunInfo,
    TaskInfo,
)
from engine.sdk.machines import PRESETS
from runs import conf


class Assignment(NamedTuple):
    """One attempt. `token` fences its answer; uncounted attempts were not the task's fault.

    `payload` and `metadata` are JSON text or None; `started_at` is when the run first started.
    The fields are the first of `runs.lifecycle.store.Assignment`, in the same order.
    """

    run_id: str
    task_id: str
    token: str = ""
    attempt: int = 1
    payload: str | None = None
    tags: tuple[str, ...] = ()
    is_test: bool = False
    queue: str = ""
    concurrency_key: str | None = None
    priority: float = 0.0
    max_attempts: int = 1
    uncounted_attempts: int = 0
    max_duration: float | None = None
    machine: str = "small-1x"
    version: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    parent_id: str | None = None
    root_id: str | None = None
    replayed_from_id: str | None = None
    idempotency_key: str | None = None
    idempotency_scope: str | None = None
    metadata: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    batch_id: str | None = None
    #: The attempt comes back from a wait; its body runs from the top and is told what it did before.
    resumed: bool = False

    @property
    def tries(self) -> int:
        """How many tries this is, the ones that do not count left out."""
        return self.attempt - self.uncounted_attempts


def context_of(assignment: Assignment, file_path: str) -> Context:
    """The `ctx` of an attempt that starts now."""
    environment = conf.get("ENVIRONMENT")
    return Context(
        run=run_info(assignment),
        task=TaskInfo(assignment.task_id, file_path),
        attempt=AttemptInfo(assignment.attempt, timezone.now()),
        queue=QueueInfo(assignment.queue),
        environment=EnvironmentInfo(environment["name"], environment["kind"]),
        machine=machine_info(assignment.machine),
        batch=BatchInfo(assignment.batch_id) if assignment.batch_id else None,
    )


@cache
def machine_info(name: str) -> MachineInfo:
    machine = PRESETS[name]
    return MachineInfo(machine.name, machine.cpu, machine.memory)


def run_info(assignment: Assignment) -> RunInfo:
    return RunInfo(
        id=assignment.run_id,
        tags=assignment.tags,
        is_test=assignment.is_test,
        is_replay=assignment.replayed_from_id is not None,
        created_at=assignment.created_at,
        started_at=assignment.started_at,
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
        traceparent=assignment.traceparent,
        tracestate=assignment.tracestate,
    )

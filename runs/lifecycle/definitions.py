"""What a trigger needs to know of tasks and queues, remembered for a moment.

A trigger costs one statement because these two reads are cached for `FRESH_SECONDS` in each
process; a registration or a queue made elsewhere is seen after that time at the latest.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runs import conf
from runs.errors import UnknownQueue
from runs.models import Queue, QueueKind, Task

FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """The defaults of a task's runs; `known` is False for an id nobody registered yet."""

    known: bool
    broken: bool
    queue: str
    schema: str
    max_attempts: int
    max_duration: float | None
    ttl: float | None
    machine: str
    priority: float
    tags: tuple[str, ...]


_tasks: dict[str, tuple[float, TaskFacts]] = {}
_queues: dict[str, tuple[float, int]] = {}


def forget() -> None:
    """Drop what is remembered; for tests and after a registration in this process."""
    _tasks.clear()
    _queues.clear()


def task(task_id: str) -> TaskFacts:
    """The facts of one task."""
    return _remembered(_tasks, task_id, _read_task)


def queue_id(name: str) -> int:
    """The queue's id. A task's own queue is made on first use; raises UnknownQueue for others."""
    return _remembered(_queues, name, _read_queue)


def _remembered(memory: dict[str, tuple[float, Any]], key: str, read: Callable[[str], Any]) -> Any:
    found = memory.get(key)
    if found is not None and found[0] > time.monotonic():
        return found[1]
    value = read(key)
    if len(memory) > 10_000:
        memory.clear()
    memory[key] = (time.monotonic() + FRESH_SECONDS, value)
    return value


def _read_task(task_id: str) -> TaskFacts:
    row = Task.objects.filter(pk=task_id).first()
    if row is None:
        return TaskFacts(
            known=False,
            broken=False,
            queue=own_queue(task_id),
            schema="",
            max_attempts=3,
            max_duration=None,
            ttl=None,
            machine=conf.get("MACHINE"),
            priority=0.0,
            tags=(),
        )
    return TaskFacts(
        known=row.active or row.broken,
        broken=row.broken,
        queue=row.queue,
        schema=row.schema,
        max_attempts=row.max_attempts,
        max_duration=row.max_duration,
        ttl=row.ttl,
        machine=row.machine,
        priority=row.priority,
        tags=tuple(json.loads(row.tags)),
    )


def own_queue(task_id: str) -> str:
    """The name of the queue a task has when it names none."""
    return f"task/{task_id}"[:128]


def _read_queue(name: str) -> int:
    found = Queue.objects.filter(name=name).values_list("pk", flat=True).first()
    if found is not None:
        return int(found)
    if not name.startswith("task/"):
        raise UnknownQueue(name, list(Queue.objects.values_list("name", flat=True)[:20]))
    return int(Queue.objects.get_or_create(name=name, defaults={"kind": QueueKind.TASK})[0].pk)

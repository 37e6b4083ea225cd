"""What a trigger needs to know of tasks and queues, remembered for a moment.

A trigger costs one statement because these two reads are cached for `FRESH_SECONDS` in each
process; a registration or a queue made elsewhere is seen after that time at the latest.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from runs import conf
from runs.errors import UnknownQueue
from runs.models import Lane, Queue, QueueKind, Task

FRESH_SECONDS = 1.0
#: No transaction that makes a queue lasts longer than this, and then rolls back.
SETTLED_SECONDS = 60.0


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
    #: The lane of its runs.
    lane: int = Lane.ALONE
    #: What a trigger does while a run of this task and concurrency key is open.
    overlap: str = "allow"
    #: Where in the payload the concurrency key stands, or empty.
    key_path: str = ""


_tasks: dict[str, tuple[float, TaskFacts]] = {}
_queues: dict[str, tuple[float, int]] = {}


def forget() -> None:
    """Drop what is remembered; for tests and after a registration in this process."""
    _tasks.clear()
    _queues.clear()


def task(task_id: str) -> TaskFacts:
    """The facts of one task."""
    facts: TaskFacts = _remembered(_tasks, task_id, lambda task_id: (_read_task(task_id), True))
    return facts


def queue_id(name: str, *, task_id: str | None = None) -> int:
    """The queue's id. The own queue of `task_id` is made on first use; raises UnknownQueue."""
    return int(_remembered(_queues, name, lambda name: _read_queue(name, task_id)))


def _remembered(
    memory: dict[str, tuple[float, Any]], key: str, read: Callable[[str], tuple[Any, bool]]
) -> Any:
    """What is remembered of `key`, or what `read` says: a value, and whether to remember it."""
    found = memory.get(key)
    if found is not None and found[0] > time.monotonic():
        return found[1]
    value, lasts = read(key)
    if not lasts:
        return value
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
        lane=int(row.is_async),
        overlap=json.loads(row.config).get("overlap", "allow"),
        key_path=json.loads(row.config).get("concurrency_key") or "",
    )


def own_queue(task_id: str) -> str:
    """The name of the queue a task has when it names none."""
    return f"task/{task_id}"[:128]


def _read_queue(name: str, task_id: str | None) -> tuple[int, bool]:
    queue = Queue.objects.filter(name=name).only("pk", "created_at").first()
    if queue is None:
        if task_id is None or name != own_queue(task_id):
            raise UnknownQueue(name, list(Queue.objects.values_list("name", flat=True)[:20]))
        queue = Queue.objects.get_or_create(name=name, defaults={"kind": QueueKind.TASK})[0]
    return int(queue.pk), _is_settled(queue)


def _is_settled(queue: Queue) -> bool:
    """Whether it certainly outlives the caller's transaction, which may have made it."""
    age = (timezone.now() - queue.created_at).total_seconds()
    return not connection.in_atomic_block or age > SETTLED_SECONDS

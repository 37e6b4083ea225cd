"""Writes what the task code declares to the Task and Queue rows, from which the web process knows it."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from engine.discovery import BrokenFile, Catalog
from engine.sdk import queues
from engine.sdk.hooks import chain
from engine.sdk.tasks import Task as Definition
from runs import conf, lifecycle
from runs.lifecycle import codeversions, fleet, schedules
from runs.lifecycle.schedules import Timetable
from runs.models import Queue, QueueKind, SessionState, Task, WorkerSession
from runs.retries import RetryPolicy

#: What a registration writes; times and what people set stay.
FIELDS = [
    "description",
    "file_path",
    "schema",
    "config",
    "queue",
    "max_attempts",
    "max_duration",
    "ttl",
    "machine",
    "priority",
    "tags",
    "webhook",
    "webhook_path",
    "is_async",
    "failure_hooks",
    "cancel_hooks",
    "version",
    "broken",
    "error",
    "active",
]


@dataclass(frozen=True, slots=True)
class Registration:
    """What a registration did; `released` counts runs that had waited for these tasks."""

    changed: tuple[str, ...]
    vanished: tuple[str, ...]
    released: int


def register(catalog: Catalog, session_id: str = "") -> Registration:
    """Bring the Task and Queue rows up to date; writes nothing when nothing changed.

    What a newer version declares stays, as long as that runs too. Safe to call by many clusters at
    once: rows are written in the order of their ids.
    """
    ids = [task.id for task in catalog.tasks]
    with transaction.atomic():
        fleet.register(session_id, catalog.version, ids)
        known = {row.pk: row for row in Task.objects.all()}
        newer = ids_of(known.values(), fleet.newer_than(catalog.version))
        wanted = wanted_rows(catalog, known)
        ours = [row for row in wanted if row.pk not in newer]
        changed = [row for row in ours if facts(row) != facts(known.get(row.pk))]
        vanished = vanished_ids(catalog, known, wanted)
        write_tasks(changed, vanished)
        tasks = [task for task in catalog.tasks if task.id not in newer]
        declare_queues(tasks)
        declare_schedules(tasks, vanished)
        codeversions.note(catalog.version, {row.pk: row.schema for row in wanted if not row.broken})
    released = lifecycle.unpark(ids, catalog.version)
    return Registration(tuple(row.pk for row in changed), tuple(vanished), released)


def ids_of(rows: Iterable[Task], versions: Collection[str]) -> set[str]:
    """Tasks that are as one of these versions registered them."""
    return {row.pk for row in rows if row.active and row.version in versions}


def wanted_rows(catalog: Catalog, known: dict[str, Task]) -> list[Task]:
    """The rows as they should be, by id."""
    rows = {task.id: healthy_row(task, catalog.version) for task in catalog.tasks}
    for file in catalog.broken:
        remembered = {row.pk for row in known.values() if row.file_path == file.path}
        for task_id in remembered.union(file.task_ids) - set(rows):
            rows[task_id] = broken_row(task_id, file, catalog.version, known.get(task_id))
    return [rows[task_id] for task_id in sorted(rows)]


def healthy_row(task: Definition[Any, Any], version: str) -> Task:
    options, hooked = task.effective, chain(task.own_hooks)
    retry = options.retry or RetryPolicy()
    return Task(
        id=task.id,
        description=task.description,
        file_path=task.source.file,
        schema=task.schema.json_schema(),
        config=json.dumps(
            {"retry": retry.to_json()} | scheduling(task) | key_path(task) | facts_of(task),
            sort_keys=True,
        ),
        queue=task.queue.name,
        max_attempts=retry.max_attempts,
        max_duration=options.max_duration,
        ttl=options.ttl,
        machine=options.machine or conf.get("MACHINE"),
        priority=task.priority,
        tags=json.dumps(task.tags),
        webhook=task.webhook.to_json() if task.webhook else "",
        webhook_path=task.webhook.path if task.webhook else "",
        is_async=task.body.is_async,
        failure_hooks=hooked.fires_on_failure,
        cancel_hooks=hooked.fires_on_cancel,
        version=version,
    )


def key_path(task: Definition[Any, Any]) -> dict[str, Any]:
    """The place of the concurrency key in the payload, or that a function has to be called for it."""
    key = task.concurrency_key
    if key is None:
        return {}
    return {"concurrency_key": key} if isinstance(key, str) else {"computed_key": True}


def facts_of(task: Definition[Any, Any]) -> dict[str, Any]:
    """What pages show of its runs at first sight."""
    return {"key_facts": list(task.key_facts)} if task.key_facts else {}


def broken_row(task_id: str, file: BrokenFile, version: str, before: Task | None) -> Task:
    """The task as it was last known, marked broken."""
    row = Task(id=task_id, queue=queues.own_name(task_id))
    for name in FIELDS if before else []:
        setattr(row, name, getattr(before, name))
    row.file_path, row.version, row.active = file.path, version, True
    row.broken, row.error = True, file.error
    return row


def facts(row: Task | None) -> list[Any]:
    return [getattr(row, name) for name in FIELDS] if row else []


def vanished_ids(catalog: Catalog, known: dict[str, Task], wanted: Iterable[Task]) -> list[str]:
    """Active tasks this code no longer has, unless a living cluster of another version may."""
    here = {row.pk for row in wanted}
    living = set(
        WorkerSession.objects.filter(state=SessionState.ALIVE).values_list("version", flat=True)
    )
    others = living - {catalog.version}
    return sorted(
        row.pk
        for row in known.values()
        if row.active and row.pk not in here and row.version not in others and not row.is_made_up
    )


def write_tasks(changed: list[Task], vanished: list[str]) -> None:
    now = timezone.now()
    for row in changed:
        row.registered_at = now
    Task.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*FIELDS, "registered_at"],
    )
    if vanished:
        Task.objects.filter(pk__in=vanished).update(active=False, registered_at=now)


def scheduling(task: Definition[Any, Any]) -> dict[str, Any]:
    """What pages and firing know of a task that is not like the others."""
    facts: dict[str, Any] = {"scheduled": True} if task.schedule else {}
    return facts | ({"overlap": task.overlap} if task.overlap != "allow" else {})


def declare_schedules(tasks: Iterable[Definition[Any, Any]], vanished: Iterable[str]) -> None:
    """Store the schedules the code declares for this environment, remove those it no longer does."""
    kind = conf.get("ENVIRONMENT")["kind"]
    wanted = {
        task.id: Timetable(
            task_id=task.id,
            cron=task.schedule.cron,
            timezone=task.schedule.timezone,
            overlap=task.schedule.overlap,
            catch_up=task.schedule.catch_up,
            window=task.schedule.window,
        )
        for task in tasks
        if task.schedule is not None and task.schedule.holds_in(kind)
    }
    schedules.declare(wanted, {*vanished, *(task.id for task in tasks)})


def declare_queues(tasks: Iterable[Definition[Any, Any]]) -> None:
    """Make missing queues, store declared limits; overrides and pauses stay as they are."""
    wanted = {task.queue.name: (task.id, task.queue) for task in tasks if not task.queue.declared}
    wanted |= {task.queue.name: (task.id, task.queue) for task in tasks if task.queue.declared}
    known = {row.name: row for row in Queue.objects.filter(name__in=wanted)}
    missing = [new_queue(*wanted[name]) for name in sorted(wanted) if name not in known]
    Queue.objects.bulk_create(missing, ignore_conflicts=True)
    for name, row in sorted(known.items(), key=lambda item: item[1].pk):  # as queues are locked
        declared = wanted[name][1]
        limits = limits_of(declared)
        if declared.declared and any(getattr(row, key) != limits[key] for key in limits):
            lifecycle.set_limits(name, **limits)


def limits_of(declared: queues.Queue) -> dict[str, Any]:
    """The limits of a declared queue as its row has them."""
    rate = declared.rate_limit
    return {
        "concurrency_limit": declared.concurrency_limit,
        "total_limit": declared.total_limit,
        "rate_limit": rate.text if rate else "",
    }


def new_queue(task_id: str, declared: queues.Queue) -> Queue:
    own = declared.name == queues.own_name(task_id)
    kind = QueueKind.TASK if own else QueueKind.CUSTOM
    made = Queue(name=declared.name, kind=kind, **limits_of(declared))
    made.settle_rate()
    return made

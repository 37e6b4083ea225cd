"""Runs that climb to where a test needs them, by the verbs the product uses."""

import json
from typing import Any

from django.contrib.auth.models import Permission, User
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import attempts, definitions, sessions, store
from runs.lifecycle.store import Ending
from runs.models import Queue, QueueKind, Run, Source, Task, WorkerSession

ERROR = json.dumps(
    {
        "name": "DeliveryError",
        "message": "mailbox is full",
        "stack_trace": "Traceback (most recent call last):\n  the whole of it",
        "frames": [
            {"file": "/lib/http.py", "line": 7, "function": "send", "text": "x()", "own": False},
            {"file": "tasks/mail.py", "line": 18, "function": "mail", "text": "raise", "own": True},
        ],
        "causes": [],
    }
)


def make_task(task_id: str = "hello", **fields: Any) -> Task:
    """A task as a cluster registers it, with its own queue."""
    queue = definitions.own_queue(task_id)
    make_queue(queue, kind=QueueKind.TASK)
    fields = {"queue": queue, "registered_at": timezone.now(), **fields}
    task, _ = Task.objects.update_or_create(id=task_id, defaults=fields)
    definitions.forget()
    return task


def make_queue(name: str, **fields: Any) -> Queue:
    queue, _ = Queue.objects.update_or_create(name=name, defaults=fields)
    queue.settle_rate()
    queue.save()
    definitions.forget()
    return queue


def make_session(slots: int = 4) -> WorkerSession:
    """A connected cluster."""
    return sessions.open_session("trackside", slots=slots, version="v1", pid=4711)


def queued_run(task_id: str = "hello", payload: str | None = '{"n": 1}', **options: Any) -> Run:
    """A run of a registered task, triggered by code."""
    if not Task.objects.filter(id=task_id).exists():
        make_task(task_id)
    chosen = lifecycle.TriggerOptions(**options)
    made = lifecycle.trigger(task_id, payload, chosen, source=Source.SDK)
    return Run.objects.get(pk=made.run_id)


def executing_run(task_id: str = "hello", **options: Any) -> tuple[Run, str]:
    """A run whose body executes, and the token of its lease."""
    run = queued_run(task_id, **options)
    claims = store.current().claim(make_session(slots=100).pk, 100)
    token = next(claim.token for claim in claims if claim.run_id == run.pk)
    store.current().start(run.pk, token, 4712)
    return Run.objects.get(pk=run.pk), token


def completed_run(task_id: str = "hello", output: str = '"done"', **options: Any) -> Run:
    run, token = executing_run(task_id, **options)
    return _ended(attempts.complete(run.pk, token, output))


def failed_run(task_id: str = "hello", error: str = ERROR, **options: Any) -> Run:
    run, token = executing_run(task_id, **options)
    return _ended(attempts.fail(run.pk, token, error))


def make_user(name: str = "vera", *permissions: str, **fields: Any) -> User:
    """A person; permissions as "change_run"."""
    user = User.objects.create_user(name, password="a-good-password", **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def _ended(ending: Ending) -> Run:
    store.current().finish(ending)
    return Run.objects.get(pk=ending.run_id)

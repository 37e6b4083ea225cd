"""Runs as they stand in life: every one climbs there by the real verbs.

What is looked at in a test is `Any`: whether a column is empty is what tests ask.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from runs import lifecycle
from runs.journal import Pause
from runs.lifecycle import TriggerOptions, attempts, definitions, fleet, sessions, store
from runs.lifecycle.store import Claim, Ending, Next
from runs.models import Bucket, Event, Queue, QueueKind, Run, Source, Task, WorkerSession
from runs.reads import attempts as reads_attempts
from runs.states import RunStatus

ERROR = '{"name": "ValueError", "message": "no"}'
S = RunStatus


@dataclass(frozen=True)
class Held:
    """A run and the lease somebody has of it."""

    run_id: str
    token: str
    attempt: int
    session_id: str

    @property
    def run(self) -> Any:
        return Run.objects.get(pk=self.run_id)

    @property
    def lease(self) -> tuple[str, str]:
        return self.run_id, self.token


def task(task_id: str = "send", **facts) -> Task:
    """A registered task with its queue."""
    facts = {"queue": f"task/{task_id}", "registered_at": timezone.now()} | facts
    made = Task.objects.update_or_create(id=task_id, defaults=facts)[0]
    kind = QueueKind.TASK if made.queue.startswith("task/") else QueueKind.CUSTOM
    Queue.objects.get_or_create(name=made.queue, defaults={"kind": kind})
    definitions.forget()
    return made


def queue(
    name: str = "mail", limit: int | None = None, total: int | None = None, rate: str = ""
) -> Queue:
    made = Queue(name=name, concurrency_limit=limit, total_limit=total, rate_limit=rate)
    made.settle_rate()
    made.save()
    return made


def passes(seconds: float) -> None:
    """As if so much time had passed for every rate; the database has a clock of its own."""
    span = int(seconds * 1_000_000)
    Bucket.objects.update(arrival=F("arrival") - span, opens_at=F("opens_at") - span)


def session(
    slots: int = 4, pid: int | None = None, version: str = "1", tasks: Iterable[str] = ()
) -> WorkerSession:
    """A living cluster, which has imported `tasks` if there are any."""
    pid = pid or os.getpid()
    made = sessions.open_session("tests", slots=slots, version=version, pid=pid)
    if tasks:
        fleet.register(made.pk, version, tasks)
        made.refresh_from_db()
    return made


def trigger(task_id: str = "send", payload: str | None = None, **options) -> Any:
    """A run of a task that is registered if it was not."""
    if not Task.objects.filter(pk=task_id).exists():
        task(task_id)
    made = lifecycle.trigger(task_id, payload, TriggerOptions(**options), source=Source.SDK)
    return Run.objects.get(pk=made.run_id)


def claim(by: WorkerSession, slots: int = 1) -> list[Held]:
    return [held(by, claim) for claim in store.current().claim(by.pk, slots)]


def held(by: WorkerSession, claim: Claim) -> Held:
    return Held(claim.run_id, claim.token, claim.attempt, by.pk)


def start(one: Held, pid: int = 1, version: str = "") -> Any:
    return opened(version).start(*one.lease, pid)


def finish(ending: Ending, take: Next = Next.NONE, pid: int = 1, version: str = "") -> Any:
    return opened(version).finish(ending, take, pid)


def opened(version: str) -> store.Store:
    """The store of somebody who executes code of this version."""
    made = store.current()
    made.version = version
    return made


def complete(one: Held, take: Next = Next.NONE, output: str = '"done"') -> Any:
    return finish(attempts.complete(*one.lease, output), take)


def queued_run(**options) -> Any:
    return trigger(**options)


def delayed_run(**options) -> Any:
    return trigger(**{"delay": 3600.0} | options)


def parked_run(task_id: str = "unknown", **options) -> Any:
    made = lifecycle.trigger(task_id, None, TriggerOptions(**options), source=Source.SDK)
    return Run.objects.get(pk=made.run_id)


def dequeued_run(by: WorkerSession | None = None, **options) -> Held:
    """The only claimable run of the test, claimed."""
    run = trigger(**options)
    one = claim(by or session())[0]
    assert one.run_id == run.pk, "another run was claimable"
    return one


def executing_run(by: WorkerSession | None = None, **options) -> Held:
    one = dequeued_run(by, **options)
    assert start(one)
    return one


def ended_run(status: RunStatus = S.COMPLETED, **options) -> Any:
    """A run that executed and ended so."""
    one = executing_run(**options)
    if status == S.COMPLETED:
        complete(one)
    elif status == S.CANCELED:
        lifecycle.cancel(one.run_id, actor="user:ada")
        finish(attempts.acknowledge_cancel(*one.lease))
    else:
        finish(attempts.fail(*one.lease, ERROR, status))
    return one.run


def expired_run() -> Any:
    run = trigger(ttl=0.000001)
    lifecycle.expire_due()
    return Run.objects.get(pk=run.pk)


def suspend(one: Held, take: Next = Next.NONE, **facts) -> Any:
    """The run reaches a wait, for a day where nothing else is said."""
    if not facts:
        facts = {"due": timezone.now() + timedelta(days=1)}
    return store.current().suspend(*one.lease, Pause(reason="Waits.", **facts), take, 1)


def waiting_run(**facts) -> Any:
    one = executing_run()
    assert suspend(one, **facts).outcome == "waiting"
    return one.run


def run_in(status: RunStatus) -> Any:
    """A run in any status."""
    makers = {
        S.PENDING_VERSION: parked_run,
        S.DELAYED: delayed_run,
        S.QUEUED: queued_run,
        S.DEQUEUED: lambda: dequeued_run().run,
        S.EXECUTING: lambda: executing_run().run,
        S.WAITING: waiting_run,
        S.EXPIRED: expired_run,
    }
    run = makers[status]() if status in makers else ended_run(status)
    assert run.status == status
    return run


def history(run_id: str) -> list[str]:
    """The kinds of the run's events, oldest first."""
    return list(Event.objects.filter(run_id=run_id).values_list("kind", flat=True))


def tries(run_id: str) -> list[tuple[int, str]]:
    """The run's attempts, number and status."""
    return [(one.number, one.status) for one in reads_attempts.of(Run.objects.get(pk=run_id))]

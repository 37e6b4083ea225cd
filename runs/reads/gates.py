"""Why a run does not run yet: every gate between it and a worker, open or shut."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, Q, Subquery, Value

from runs.machines import HEAVY
from runs.models import Bucket, Lease, Queue, Ready, Run, Task, Waiter, WorkerSession
from runs.reads import capacity
from runs.reads.capacity import weight
from runs.reads.counts import Capped, capped
from runs.reads.rates import throttle
from runs.reads.sessions import living
from runs.states import LEASED, RunStatus

AHEAD_CAP = 1_000
#: Runs that are named of those a run waits for.
SHOWN = 3
INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition for a start. `open` lets the run through; `until` is when it opens by itself."""

    name: str
    open: bool
    sentence: str
    until: datetime | None = None
    #: How much of something is in use, and how much there is.
    used: int | None = None
    most: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """Leases there are: in all, of the queue, of the run's bucket."""

    all: int = 0
    queue: int = 0
    bucket: int = 0


def gates(run: Run, now: datetime) -> list[Gate]:
    """The gates in front of a run that has not started; none for one that runs, waits or ended."""
    if run.is_final or run.status in LEASED or run.status == RunStatus.WAITING:
        return []
    queue = _standing(run)
    bucket = _bucket(queue, run) if queue else None
    living_now = list(living())
    held = _held(queue, bucket)
    sessions = [one for one in living_now if one.expires_at > now]
    found = [*_times(run, now), *_overlap(run), *_version(run, living_now)]
    found += [*_workers(sessions, held), *_machine(run, sessions)]
    return found + (
        [*_task(run, queue), *_queue(queue), *_limits(run, queue, bucket, held, now)]
        if queue
        else []
    )


def _standing(run: Run) -> Any:
    """Its queue, and with it what is said of its task: one read."""
    paused = Task.objects.filter(pk=OuterRef("_task"), paused_at__isnull=False)
    found = Queue.objects.filter(name=run.queue).annotate(_task=Value(run.task_id))
    return found.annotate(
        task_paused_at=Subquery(paused.values("paused_at")[:1]),
        task_paused_by=Subquery(paused.values("paused_by")[:1]),
        task_paused_reason=Subquery(paused.values("paused_reason")[:1]),
    ).first()


def _bucket(queue: Queue, run: Run) -> Bucket | None:
    """Where runs of its queue and key are counted; asked for only where something is."""
    if queue.limit is None and queue.rate is None:
        return None
    return Bucket.objects.filter(queue=queue, concurrency_key=run.concurrency_key).first()


def _held(queue: Queue | None, bucket: Bucket | None) -> Held:
    """There are as many leases as busy slots, no more."""
    counts = Lease.objects.aggregate(
        all=Count("pk"),
        queue=Count("pk", filter=Q(queue_id=queue.pk if queue else 0)),
        bucket=Count("pk", filter=Q(bucket_id=bucket.pk if bucket else 0)),
    )
    return Held(**counts)


def ahead(run: Run) -> Capped | None:
    """How many claimable runs of the same bucket are served before this one."""
    place = Ready.objects.filter(run_id=run.id, not_before__isnull=True).first()
    if place is None:
        return None
    before = Ready.objects.filter(
        bucket_id=place.bucket_id,
        lane=place.lane,
        not_before__isnull=True,
        sort_key__lt=place.sort_key,
    )
    return capped(before, AHEAD_CAP)


def _times(run: Run, now: datetime) -> Iterator[Gate]:
    if run.status == RunStatus.DELAYED and run.delay_until:
        yield Gate("delay", run.delay_until <= now, "Delayed until", run.delay_until)
    if run.is_retrying and run.retry_at:
        attempt = f"Attempt {run.attempt_number - run.uncounted_attempts + 1} of {run.max_attempts} is due"
        yield Gate("retry", run.retry_at <= now, attempt, run.retry_at)


def _overlap(run: Run) -> Iterator[Gate]:
    """Runs of its task that it is held behind."""
    if run.overlap_lane is None or run.started_at is not None:
        return
    before = Waiter.objects.filter(run_id=run.pk).order_by("target")
    shown = list(before.values_list("target", flat=True)[: SHOWN + 1])
    if shown:
        names = ", ".join(shown[:SHOWN]) + (" and more" if len(shown) > SHOWN else "")
        word = "runs" if len(shown) > 1 else "run"
        task = f"Task {run.task_id} lets its runs overlap only so far"
        yield Gate("overlap", False, f"{task}: this one waits for the end of {word} {names}.")


def _version(run: Run, sessions: list[WorkerSession]) -> Iterator[Gate]:
    if run.status != RunStatus.PENDING_VERSION:
        yield from _locked(run, sessions)
        return
    task = Task.objects.filter(id=run.task_id).only("id", "broken").first()
    known = f"No worker has registered a task “{run.task_id}” yet."
    if task is not None:
        broken = "The task's file failed to import; the overview shows the traceback."
        known = broken if task.broken else "No live worker has the version this run asks for."
    yield Gate("version", False, run.reason or known)


def _locked(run: Run, sessions: list[WorkerSession]) -> Iterator[Gate]:
    """Only where clusters of another version live, or none of its own."""
    if not run.version:
        return
    taking = [one.version for one in sessions if not one.draining]
    own = taking.count(run.version)
    if own == len(taking):
        return
    word = "triggered for" if run.version_asked else "locked to"
    if own:
        clusters = f"{own} of {len(taking)} connected clusters {'run' if own > 1 else 'runs'} it"
        yield Gate("version", True, f"It is {word} version {run.version}; {clusters}.")
    else:
        yield Gate("version", False, f"It is {word} version {run.version}, which no cluster runs.")


def _workers(sessions: list[WorkerSession], held: Held) -> Iterator[Gate]:
    slots = sum(session.slots for session in sessions)
    if not sessions:
        yield Gate("workers", False, "No worker is connected. Start one: python manage.py qcluster")
    elif all(session.draining for session in sessions):
        yield Gate("workers", False, "Every connected worker is shutting down.")
    else:
        sentence = f"{held.all} of {slots} slots of {len(sessions)} connected workers are in use."
        yield Gate("workers", held.all < slots, sentence, used=held.all, most=slots)


def _machine(run: Run, connected: list[WorkerSession]) -> Iterator[Gate]:
    """Whether a cluster is large enough, and has room; said of what has to be weighed alone."""
    sessions = [one for one in connected if not one.draining]
    if not sessions or (run.lane < HEAVY and not any(one.tight for one in sessions)):
        return
    rooms, asks = capacity.rooms(sessions), {one.pk: weight(one, run.lane) for one in sessions}
    needs = f"Machine {run.machine} needs {capacity.amount(asks[sessions[0].pk])}"
    enough = [rooms[pk] for pk, one in asks.items() if rooms[pk].is_enough(one)]
    if not enough:
        largest = max(rooms.values(), key=_size)
        has = capacity.amount((largest.cpu, largest.memory))
        yield Gate("machine", False, f"{needs}; the largest cluster has {has}.")
    elif any(rooms[pk].has_left(one) for pk, one in asks.items()):
        yield Gate("machine", True, f"{needs}; a cluster has room for it.")
    else:
        most = max(enough, key=lambda one: _bounded(one.left[1]))
        left = capacity.amount(most.left)
        yield Gate("machine", False, f"{needs}; cluster {most.cluster} has {left} left now.")


def _size(room: capacity.Room) -> tuple[float, float]:
    return _bounded(room.memory), _bounded(room.cpu)


def _bounded(number: float | None) -> float:
    return INFINITE if number is None else number


def _task(run: Run, queue: Any) -> Iterator[Gate]:
    if queue.task_paused_at is not None:
        who = f" by {queue.task_paused_by.removeprefix('user:')}" if queue.task_paused_by else ""
        why = f": {queue.task_paused_reason}" if queue.task_paused_reason else ""
        yield Gate("task", False, f"Task {run.task_id} is paused{who}{why}")


def _queue(queue: Queue) -> Iterator[Gate]:
    if not queue.paused:
        yield Gate("queue", True, f"Queue {queue.name} is not paused.")
        return
    who = f" by {queue.paused_by.removeprefix('user:')}" if queue.paused_by else ""
    why = f": {queue.paused_reason}" if queue.paused_reason else ""
    if queue.all_paused_at is not None and queue.all_paused_at == queue.paused_at:
        yield Gate("queues", False, f"All queues are paused{who}{why}")
    else:
        yield Gate("queue", False, f"Queue {queue.name} is paused{who}{why}")


def _limits(
    run: Run, queue: Queue, bucket: Bucket | None, held: Held, now: datetime
) -> Iterator[Gate]:
    if queue.limit is not None:
        name = "limit" if run.concurrency_key is None else "key"
        used = held.bucket if bucket else 0
        sentence = _limit_sentence(run, used, queue.limit)
        yield Gate(name, used < queue.limit, sentence, used=used, most=queue.limit)
    if queue.total is not None:
        sentence = f"All keys of the queue together run {held.queue} of {queue.total}."
        is_free = held.queue < queue.total
        yield Gate("total", is_free, sentence, used=held.queue, most=queue.total)
    yield from _rate(run, queue, bucket, now)


def _rate(run: Run, queue: Queue, bucket: Bucket | None, now: datetime) -> Iterator[Gate]:
    """A run that comes back from a wait is let through."""
    found, rate = throttle(queue, bucket, now), queue.rate
    if found is None or rate is None or run.is_resuming:
        return
    allowed = f"Queue {queue.name} lets {rate.sentence} start"
    if run.concurrency_key is not None:
        allowed += f" of key “{run.concurrency_key}”"
    if found.next_at is None:
        yield Gate("rate", True, f"{allowed}; {found.left:,} may start now.")
    else:
        yield Gate("rate", False, f"{allowed}; the next one about", found.next_at)


def _limit_sentence(run: Run, held: int, limit: int) -> str:
    if run.concurrency_key is None:
        return f"The queue runs {held} of its limit of {limit}."
    return f"Key “{run.concurrency_key}” runs {held} of its limit of {limit}."

"""How Trackside stands now, in numbers for monitoring: small tables, samples, and counts that stop."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from runs import conf
from runs.lifecycle.rollups import mark
from runs.models import Depth, Lease, Queue, Run, Schedule, WorkerSession
from runs.reads import counts, queues, sessions
from runs.states import LEASED, OPEN, RunStatus

#: Samples older than this are of a time when no cluster looked.
FRESH = timedelta(minutes=2, seconds=30)
#: Runs of one status are counted up to here.
CAP = 50_000


@dataclass(slots=True)
class QueueState:
    """One queue, or all that have no numbers of their own."""

    queued: int = 0
    executing: int = 0
    #: Seconds the first of them has waited.
    oldest: float = 0.0
    #: None is without end.
    limit: int | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """The clusters that live."""

    clusters: dict[str, int] = field(default_factory=dict)
    slots: int = 0
    busy: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Clock:
    """The schedules."""

    active: int
    #: Seconds the most belated fire has been due for.
    late: float
    missed: int


def by_queue(other: str) -> dict[str, QueueState]:
    """The first METRICS_NAMES queues, and `other` for what all later ones have together."""
    most = int(conf.get("METRICS_NAMES"))
    names = dict(Queue.objects.order_by("pk").values_list("pk", "name"))
    own = {name for name in list(names.values())[:most] if name != other}
    found = {name: QueueState() for name in own}
    for queue in Queue.objects.filter(name__in=own):
        found[queue.name].limit = queue.total if queue.total is not None else queue.limit
        found[queue.name].is_paused = queue.paused
    executing = Lease.objects.order_by().values_list("queue_id").annotate(Count("run_id"))
    for pk, count in executing:
        _of(found, names.get(pk, other), other).executing += count
    for name, queued, oldest in _standing(names):
        state = _of(found, name, other)
        state.queued += queued
        state.oldest = max(state.oldest, oldest)
    return found


def _of(found: dict[str, QueueState], name: str, other: str) -> QueueState:
    return found[name] if name in found else found.setdefault(other, QueueState())


def _standing(names: dict[int, str]) -> list[tuple[str, int, float]]:
    """(queue, queued, seconds of the oldest): as it was sampled in the last minutes, else counted now."""
    now, at = timezone.now(), mark().sampled_at
    if now - at <= FRESH:
        rows = Depth.objects.filter(at=at, queue__in=["", *names.values()]).exclude(queue="")
        return [(row.queue, row.queued, float(row.oldest)) for row in rows]
    loads = queues.loads()
    return [
        (names[pk], load.queued, (now - load.oldest).total_seconds() if load.oldest else 0.0)
        for pk, load in loads.items()
        if pk in names
    ]


def open_runs() -> dict[str, int]:
    """Runs by each status that is not final, counted to CAP; one more stands for more."""
    found = {status.value: 0 for status in RunStatus if status in OPEN}
    for status in found:
        if status not in LEASED:
            found[status] = counts.capped(Run.objects.filter(status=status), CAP).value
    leased = list(Lease.objects.values_list("started_at", flat=True)[: CAP + 1])
    found[RunStatus.EXECUTING.value] = sum(1 for at in leased if at is not None)
    found[RunStatus.DEQUEUED.value] = len(leased) - found[RunStatus.EXECUTING.value]
    return found


def fleet() -> Fleet:
    now = timezone.now()
    living = list(sessions.living())
    states = {"alive": 0, "draining": 0, "silent": 0}
    for one in living:
        states[_state(one, now)] += 1
    return Fleet(
        clusters=states,
        slots=sum(one.slots for one in living),
        busy=Lease.objects.count(),
        memory=sum(slot.memory for one in living for slot in sessions.slots(one)),
    )


def _state(one: WorkerSession, now: datetime) -> str:
    if sessions.is_stale(one, now):
        return "silent"
    return "draining" if one.draining else "alive"


def schedules() -> Clock:
    due = Schedule.objects.filter(next_at__isnull=False).order_by("next_at")
    first = due.values_list("next_at", flat=True).first()
    late = (timezone.now() - first).total_seconds() if first else 0.0
    active = Schedule.objects.filter(active=True).count()
    return Clock(active=active, late=max(late, 0.0), missed=mark().missed_fires)

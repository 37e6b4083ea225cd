"""How fast runs come to a queue and leave it, and what another limit would change (a projection)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from runs import histograms
from runs.models import Depth, Facet, Queue, Step
from runs.reads.rollups import Tail, Timed, each_over_time, over_time, tail, whole
from runs.reads.tally import Tally

HOUR = timedelta(hours=1)
#: Rates are of the last minutes.
RECENT = 15


@dataclass(frozen=True, slots=True)
class Flow:
    """Runs a minute, of the last RECENT minutes, and the wait before the start, of the last hour."""

    came: float = 0.0
    ended: float = 0.0
    #: How many executed on the average; None where nobody looked.
    running: float | None = None
    #: Seconds a run takes, on the average.
    takes: float | None = None
    #: Seconds that 95 of 100 waited less than.
    p95_wait: float | None = None
    #: The newest minute of the hour with something in it, and what came and ended in it.
    last: tuple[datetime, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Projection:
    """What becomes of a backlog with so much room. Without a rate nothing is known."""

    room: int | None
    #: Runs a minute it can end.
    ends: float | None
    #: How much the backlog shrinks a minute; negative: it grows.
    shrinks: float | None
    #: How long until it is empty; None: never at this rate.
    drains: timedelta | None

    @property
    def grows(self) -> float:
        return max(0.0, -(self.shrinks or 0.0))


def flows(now: datetime, rest: Tail | None = None) -> dict[str, Flow]:
    """Of every queue that had runs in the last hour."""
    rest = rest or tail(now)
    found = each_over_time(Facet.QUEUE, now - HOUR, Step.MINUTE, rest)
    seen = depths_by_queue(now - HOUR)
    names = {*found, *seen}
    return {name: _flow(found.get(name, []), seen.get(name, []), now) for name in names if name}


def past(queue: str, start: datetime, rest: Tail) -> tuple[list[Timed], dict[str, list[Depth]]]:
    """Its minutes since then, and the samples of how full it was and of all ("")."""
    minutes = over_time(Facet.QUEUE, queue, start, Step.MINUTE, rest)
    seen: dict[str, list[Depth]] = {queue: [], "": []}
    for one in Depth.objects.filter(queue__in=list(seen), at__gte=start).order_by("at"):
        seen[one.queue].append(one)
    return minutes, seen


def flow(minutes: list[Timed], depths: list[Depth], now: datetime) -> Flow:
    """Of one queue, from what `past` found."""
    since = now - HOUR
    timed = [(at, one) for at, one in minutes if at >= since]
    return _flow(timed, [one for one in depths if one.at >= since], now)


def depths_by_queue(start: datetime) -> dict[str, list[Depth]]:
    """The samples since then, of each queue; "" is all of them."""
    names = ["", *Queue.objects.values_list("name", flat=True)]
    found: dict[str, list[Depth]] = {}
    for one in Depth.objects.filter(queue__in=names, at__gte=start).order_by("at"):
        found.setdefault(one.queue, []).append(one)
    return found


def project(queue: Queue, waiting: int, moves: Flow, room: int | None, slots: int) -> Projection:
    """With `room` for runs at once (None: without end); no more execute than there are `slots`."""
    at_once = slots if room is None else min(room, slots)
    if queue.paused:
        at_once = 0
    each = moves.takes
    if not each:
        return Projection(room, None, None, None)
    ends = at_once * 60 / each
    shrinks = ends - moves.came
    drains = timedelta(minutes=waiting / shrinks) if shrinks > 0 else None
    if not waiting and shrinks >= 0:
        drains = timedelta()
    return Projection(room, ends, shrinks, drains)


def mean(counts: Mapping[int, int]) -> float | None:
    """Seconds, about: the geometric middle of each range."""
    total = sum(counts.values())
    if not total:
        return None
    summed = 0.0
    for place, count in counts.items():
        low, high = histograms.ends(place)
        summed += (max(low, 0.5) * high) ** 0.5 * count
    return summed / total / 1000


def _flow(timed: list[Timed], depths: list[Depth], now: datetime) -> Flow:
    recent = now - timedelta(minutes=RECENT)
    newest, hour = Tally(), whole(timed)
    for at, one in timed:
        if at >= recent:
            newest.add(one)
    looked = [one.running for one in depths if one.at >= recent]
    running = sum(looked) / len(looked) if looked else None
    ended = newest.ended / RECENT
    # what was executed at once over what ended says it best (Little's law): it knows of retries too
    takes = running / ended * 60 if running and ended else mean(hour.durations)
    ends = max((at for at, _ in timed), default=None)
    last = whole([(at, one) for at, one in timed if at == ends])
    known = None if ends is None else (ends, last.triggered, last.ended)
    return Flow(newest.triggered / RECENT, ended, running, takes, hour.wait(0.95), known)

"""The table of queues: how full, how fast, how long, over the last hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache

from dashboard.pages import live, sparks
from dashboard.pages.scales import count_text
from dashboard.pages.sparks import Spark
from runs.models import Depth, Queue, SessionState, WorkerSession
from runs.reads import queueflow, rates
from runs.reads.queueflow import Flow
from runs.reads.queues import Load
from runs.reads.rates import Closed

HOUR = timedelta(hours=1)
MINUTES = 60
REMEMBERED = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One queue's line."""

    queue: Queue
    load: Load
    closed: Closed | None
    flow: Flow
    gauge: Spark
    backlog: Spark | None
    #: At how many of the last minutes its limit held runs back.
    throttled: int

    def facts(self, now: datetime) -> tuple[Any, ...]:
        """What a tick is judged by."""
        limits = self.queue.limit, self.queue.total, self.queue.rate, self.queue.paused
        return self.queue.name, *limits, self.load, self.closed, *moving(self.flow, now)


@dataclass(frozen=True, slots=True)
class Hour:
    """What queues did in the last hour."""

    flows: dict[str, Flow]
    depths: dict[str, list[Depth]]


def rows(queues: list[Queue], loads: dict[int, Load], now: datetime) -> list[Row]:
    shut, hour = rates.closed(queues), last_hour(now)
    return [
        _row(queue, loads.get(queue.pk, Load()), shut.get(queue.pk), hour, now) for queue in queues
    ]


def bare(queue: Queue) -> Row:
    """Without numbers."""
    return Row(queue, Load(), None, Flow(), sparks.gauge(0, room_of(queue), "not counted"), None, 0)


def last_hour(now: datetime) -> Hour:
    """Asked for at most every REMEMBERED seconds."""
    known: Hour | None = cache.get("dashboard.queues")
    if known is None:
        known = Hour(queueflow.flows(now), queueflow.depths_by_queue(now - HOUR))
        cache.set("dashboard.queues", known, REMEMBERED)
    return known


def moving(flow: Flow, now: datetime) -> tuple[Any, ...]:
    """Its rates change at once with what comes and ends, and slowly with the time."""
    return flow.last, flow.last and live.slowly(now)


def tiles(rows_: list[Row]) -> dict[str, Any]:
    """The numbers above the table."""
    alive = WorkerSession.objects.filter(state=SessionState.ALIVE, draining=False)
    slots = sum(alive.values_list("slots", flat=True))
    limits = [room for row in rows_ if (room := room_of(row.queue)) is not None]
    oldest = min((row.load.oldest for row in rows_ if row.load.oldest), default=None)
    return {
        "queued": sum(row.load.queued for row in rows_),
        "more": any(row.load.more for row in rows_),
        "running": sum(row.load.running for row in rows_),
        "slots": slots,
        "oldest": oldest,
        "allocated": sum(limits),
        "limited": len(limits),
        "is_over": bool(slots) and sum(limits) > slots,
    }


def room_of(queue: Queue) -> int | None:
    """What its limits let execute at once, as far as that is one number; None is without end."""
    bounds = [bound for bound in (queue.total, queue.limit) if bound is not None]
    return queue.total if queue.total is not None else min(bounds, default=None)


def _row(queue: Queue, load: Load, closed: Closed | None, hour: Hour, now: datetime) -> Row:
    seen = hour.depths.get(queue.name, [])
    room = room_of(queue)
    of = "no limit" if room is None else f"limit {room}"
    return Row(
        queue=queue,
        load=load,
        closed=closed,
        flow=hour.flows.get(queue.name, Flow()),
        gauge=sparks.gauge(load.running, room, f"{load.running} running, {of}"),
        backlog=_backlog(seen, hour.depths.get("", []), now),
        throttled=sum(_is_full(one) for one in seen),
    )


def _backlog(seen: list[Depth], looked: list[Depth], now: datetime) -> Spark | None:
    """A point for each of the last 60 minutes, and a tick where the limit held runs back."""
    if not any(one.queued for one in seen):
        return None
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    points: list[float | None] = [None] * MINUTES
    for one in looked:  # a queue without a sample was empty when somebody looked
        points[_minute(one, first)] = 0
    for one in seen:
        points[_minute(one, first)] = one.queued
    most = max(one.queued for one in seen)
    full = [_minute(one, first) for one in seen if _is_full(one)]
    words = (
        f"Queued in the last hour: now {count_text(seen[-1].queued)}, at most {count_text(most)}"
    )
    return sparks.ticked(sparks.spark(points, words), full, MINUTES)


def _minute(one: Depth, first: datetime) -> int:
    return min(MINUTES - 1, max(0, (one.at - first) // timedelta(minutes=1)))


def _is_full(one: Depth) -> bool:
    """Whether its limit held runs back."""
    return one.room is not None and one.running >= one.room and one.queued > 0

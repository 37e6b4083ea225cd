"""One queue: how it did, who is next, who executes, what its keys hold, and what another limit would do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from dashboard.pages import live, metric_charts, timeaxis
from dashboard.pages.charts import Chart
from dashboard.pages.queue_rows import moving, room_of
from dashboard.pages.task_facts import Line, lines
from dashboard.pages.timeaxis import Axis
from runs.models import (
    AuditLog,
    Bucket,
    Depth,
    Facet,
    Queue,
    Run,
    SessionState,
    Step,
    WorkerSession,
)
from runs.reads import queueflow, queueheads, rates, rollups
from runs.reads.deadline import TooSlow, deadline
from runs.reads.queueflow import Flow, Projection
from runs.reads.queues import key_loads, load
from runs.reads.rollups import Tail, Timed

PATIENCE = 1.0
HISTORY = 20
#: Samples of how full queues are do not go back further.
WINDOWS = ("1h", "6h", "24h")
TABS = {"overview": "Overview", "keys": "Concurrency keys", "changes": "Changes"}


@dataclass(frozen=True, slots=True)
class Past:
    """What was counted of a queue: read once for its rates and its charts."""

    axis: Axis
    rest: Tail
    #: Since an hour ago, or since the axis begins where that is earlier.
    minutes: list[Timed]
    depths: dict[str, list[Depth]]

    @classmethod
    def of(cls, queue: Queue, axis: Axis) -> "Past":
        rest = rollups.tail(axis.now)
        start = min(axis.now - queueflow.HOUR, axis.start)
        return cls(axis, rest, *queueflow.past(queue.name, start, rest))

    def timed(self, queue: Queue) -> list[Timed]:
        """In the steps of the axis."""
        axis = self.axis
        if axis.step == Step.MINUTE:
            return [(at, one) for at, one in self.minutes if at >= axis.start]
        return rollups.over_time(Facet.QUEUE, queue.name, axis.start, axis.step, self.rest)


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody did to the queue."""

    entry: AuditLog
    what: str


def context(request: HttpRequest, queue: Queue) -> dict[str, Any]:
    now = timezone.now()
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "overview"
    period = request.GET.get("period", "")
    axis = timeaxis.axis(period if period in WINDOWS else WINDOWS[0], now)
    alive = list(WorkerSession.objects.filter(state=SessionState.ALIVE))
    found: dict[str, Any] = {
        "queue": queue,
        "tab": tab,
        "tabs": TABS.items(),
        "period": axis.period,
        "windows": timeaxis.windows(request, axis.period, WINDOWS),
        "closed": rates.closed([queue]).get(queue.pk),
        "throttle": rates.throttle(queue, _alone(queue), now),
        "load": None,
        "flow": Flow(),
        "slots": sum(session.slots for session in alive if not session.draining),
        "now": now,
    }
    try:
        with deadline(PATIENCE):
            past = Past.of(queue, axis)
            flow = queueflow.flow(past.minutes, past.depths[queue.name], now)
            found |= {"load": load(queue), "flow": flow}
            found |= _TABS[tab](queue, past, {session.version for session in alive})
    except TooSlow:
        found["is_late"] = True
    pause = queue.paused, queue.limit, queue.total, queue.rate, queue.overridden_at
    found["token"] = live.token(
        *pause, found["load"], *moving(found["flow"], now), tab, found.get("state")
    )
    return found


def what_if(queue: Queue, given: dict[str, str], shown: dict[str, Any]) -> dict[str, Any]:
    """The projection for the limits that stand in a form, beside that for those that hold."""
    flow, load, slots = shown["flow"], shown["load"], shown["slots"]
    waiting = load.queued if load else 0
    asked = _room(given)
    return {
        "slots": slots,
        "waiting": load,
        "flow": flow,
        "now": queueflow.project(queue, waiting, flow, room_of(queue), slots),
        "then": _then(queue, waiting, flow, asked, slots) if given else None,
        "asked": asked,
    }


def _then(queue: Queue, waiting: int, flow: Flow, room: int | None, slots: int) -> Projection:
    """As if it was not paused: a limit is looked at for when it runs."""
    again = Queue(name=queue.name, paused=False)
    return queueflow.project(again, waiting, flow, room, slots)


def _room(given: dict[str, str]) -> int | None:
    bounds = [
        int(text)
        for name in ("limit", "total")
        if (text := given.get(name, "").strip()).isascii() and text.isdecimal() and len(text) < 10
    ]
    return bounds[-1] if len(bounds) == 2 else min(bounds, default=None)


def _overview(queue: Queue, past: Past, versions: set[str]) -> dict[str, Any]:
    axis, timed = past.axis, past.timed(queue)
    bars, hrefs = axis.spread(timed), axis.hrefs(queue=queue.name)
    next_ids, held = queueheads.next_ids(queue, versions), queueheads.running_ids(queue)
    runs = Run.objects.light().in_bulk({*next_ids, *held})
    waiting = lines([runs[run_id] for run_id in next_ids if run_id in runs], axis.now)
    holding = lines([runs[run_id] for run_id in held if run_id in runs], axis.now)
    return {
        "charts": _charts(queue, past, bars, hrefs),
        "waiting": waiting,
        "running": holding,
        "state": ([_fact(line) for line in waiting], [_fact(line) for line in holding],
                  [bar.facts for bar in bars]),
    }  # fmt: skip


def _charts(queue: Queue, past: Past, bars: list[Any], hrefs: list[str]) -> list[Chart]:
    # ours with one for each minute somebody looked, also where nothing stood in it
    axis = past.axis
    seen = {one.at: one for one in past.depths[queue.name]}
    looked = [one for one in past.depths[""] if one.at >= axis.start]
    empty = [type(one)(queue=queue.name, at=one.at, room=room_of(queue)) for one in looked]
    samples = [seen.get(one.at, one) for one in empty]
    return [
        metric_charts.depth(axis, samples, "Backlog and concurrency", "Limit"),
        metric_charts.flow(axis, bars, hrefs),
        metric_charts.waits(axis, bars, hrefs),
        metric_charts.throughput(axis, bars, hrefs),
    ]


def _fact(line: Line) -> tuple[str, datetime]:
    return line.run.pk, line.run.updated_at


def _keys(queue: Queue, past: Past, versions: set[str]) -> dict[str, Any]:
    found = [(*row, rates.throttle(queue, row[0], past.axis.now)) for row in key_loads(queue)]
    return {"keys": found, "state": [(bucket.pk, load) for bucket, load, _ in found]}


def _changes(queue: Queue, past: Past, versions: set[str]) -> dict[str, Any]:
    entries = AuditLog.objects.filter(action__startswith="queue.", target=queue.name)
    shown = [Change(entry, _what(entry)) for entry in entries.order_by("-pk")[:HISTORY]]
    return {"history": shown, "state": [change.entry.pk for change in shown]}


def _what(entry: AuditLog) -> str:
    """ "Override: limit 5 → 20"."""
    word = entry.action.removeprefix("queue.").replace("_", " ").capitalize()
    data = json.loads(entry.data or "{}")
    if not isinstance(data, dict) or not {"old", "new"} & data.keys():
        return word
    return f"{word}: {_limits(data.get('old'))} → {_limits(data.get('new'))}"


def _limits(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {limit}" for name, limit in value.items()) or "no limit"
    return "no limit" if value is None else f"limit {value}"


def _alone(queue: Queue) -> Bucket | None:
    return Bucket.objects.filter(queue=queue, key_hash="").first() if queue.pace else None


_TABS: dict[str, Callable[[Queue, Past, set[str]], dict[str, Any]]] = {
    "overview": _overview,
    "keys": _keys,
    "changes": _changes,
}

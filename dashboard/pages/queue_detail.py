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
from dashboard.pages.queue_rows import room_of
from dashboard.pages.task_facts import Line, lines
from dashboard.pages.timeaxis import Axis
from runs.models import AuditLog, Bucket, Facet, Queue, SessionState, WorkerSession
from runs.reads import queueflow, queueheads, rates, rollups
from runs.reads.deadline import TooSlow, deadline
from runs.reads.queueflow import Flow, Projection
from runs.reads.queues import Load, key_loads, loads

PATIENCE = 1.0
HISTORY = 20
#: Samples of how full queues are do not go back further.
WINDOWS = ("1h", "6h", "24h")
TABS = {"overview": "Overview", "keys": "Concurrency keys", "changes": "Changes"}


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
        "now": now,
    }
    try:
        with deadline(PATIENCE):
            found |= {
                "load": loads().get(queue.pk, Load()),
                "flow": queueflow.flow(queue.name, now),
            }
            found |= _TABS[tab](queue, axis)
    except TooSlow:
        found["is_late"] = True
    pause = queue.paused, queue.limit, queue.total, queue.rate, queue.overridden_at
    found["token"] = live.token(*pause, found["load"], found["flow"], tab, found.get("state"))
    return found


def what_if(queue: Queue, given: dict[str, str], flow: Flow, load: Load | None) -> dict[str, Any]:
    """The projection for the limits that stand in a form, beside that for those that hold."""
    slots = sum(
        WorkerSession.objects.filter(state=SessionState.ALIVE, draining=False).values_list(
            "slots", flat=True
        )
    )
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


def _overview(queue: Queue, axis: Axis) -> dict[str, Any]:
    rest = rollups.tail(axis.now)
    timed = rollups.over_time(Facet.QUEUE, queue.name, axis.start, axis.step, rest)
    bars, hrefs = axis.spread(timed), axis.hrefs(queue=queue.name)
    waiting = lines(queueheads.next_runs(queue), axis.now)
    holding = queueheads.running(queue)
    return {
        "charts": _charts(queue, axis, bars, hrefs),
        "waiting": waiting,
        "running": lines([run for run, _ in holding], axis.now),
        "state": ([_fact(line) for line in waiting], [run.updated_at for run, _ in holding],
                  [bar.facts for bar in bars]),
    }  # fmt: skip


def _charts(queue: Queue, axis: Axis, bars: list[Any], hrefs: list[str]) -> list[Chart]:
    # ours with one for each minute somebody looked, also where nothing stood in it
    seen = {one.at: one for one in rollups.depths(queue.name, axis.start)}
    looked = rollups.depths("", axis.start)
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


def _keys(queue: Queue, axis: Axis) -> dict[str, Any]:
    found = [(*row, rates.throttle(queue, row[0], axis.now)) for row in key_loads(queue)]
    return {"keys": found, "state": [(bucket.pk, load) for bucket, load, _ in found]}


def _changes(queue: Queue, axis: Axis) -> dict[str, Any]:
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


_TABS: dict[str, Callable[[Queue, Axis], dict[str, Any]]] = {
    "overview": _overview,
    "keys": _keys,
    "changes": _changes,
}

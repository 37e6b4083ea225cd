"""Metrics: what runs came to over a window, and which tasks made it so."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard.pages import live, metric_charts, shell, timeaxis, zones
from dashboard.pages.charts import Chart
from dashboard.pages.page import page
from dashboard.pages.timeaxis import Axis, runs_href
from runs.models import Facet, Task
from runs.reads import rollups, samples
from runs.reads.deadline import TooSlow, deadline
from runs.reads.tally import Tally
from runs.states import UNSUCCESSFUL

PATIENCE = 2.0
#: Seconds what was counted is shown again.
REMEMBERED = 10
#: Tasks in a list, and offered to choose from.
SHOWN, OFFERED = 10, 200


@dataclass(frozen=True, slots=True)
class Ranked:
    """A task in one of the lists."""

    task_id: str
    tally: Tally
    p95: float | None
    href: str

    @property
    def failure_rate(self) -> float | None:
        return self.tally.failure_rate


@dataclass(frozen=True, slots=True)
class Board:
    """All that the page shows of a window."""

    charts: list[Chart]
    sampled: Chart | None
    failing: list[Ranked]
    slowest: list[Ranked]
    whole: Tally
    until: datetime | None


@page()
def index(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    axis = timeaxis.axis(request.GET.get("period", ""), now)
    task_id = request.GET.get("task", "").replace("\x00", "").strip()[:256]
    board = _known(request, axis, task_id)
    context: dict[str, Any] = {
        "board": board,
        "task": task_id,
        "period": axis.period,
        "words": axis.words,
        "windows": timeaxis.windows(request, axis.period, list(timeaxis.PERIODS)),
        "tasks": Task.objects.authored().filter(active=True).values_list("id", flat=True)[:OFFERED],
        "links": _links(axis, task_id),
        "token": live.token(axis.start, task_id, board and board.whole.facts),
    }
    return shell.render_live(
        request, "dashboard/metrics/index.html", "dashboard/metrics/_board.html", context
    )


def _known(request: HttpRequest, axis: Axis, task_id: str) -> Board | None:
    """None when the database needed too long."""
    key = "dashboard.metrics." + live.token(axis.period, task_id, zones.of(request))
    known: Board | None = cache.get(key)
    if known is None:
        try:
            with deadline(PATIENCE):
                known = _board(axis, task_id)
        except TooSlow:
            return None
        cache.set(key, known, REMEMBERED)
    return known


def _board(axis: Axis, task_id: str) -> Board:
    rest = rollups.tail(axis.now)
    facet = Facet.TASK if task_id else Facet.ALL
    bars = axis.spread(rollups.over_time(facet, task_id, axis.start, axis.step, rest))
    whole = rollups.whole((axis.now, bar) for bar in bars)
    hrefs = axis.hrefs(task=task_id)
    failed = axis.hrefs(task=task_id, status=sorted(UNSUCCESSFUL))
    shown = [
        metric_charts.throughput(axis, bars, hrefs),
        metric_charts.failures(axis, bars, failed),
        metric_charts.durations(axis, bars, hrefs),
        metric_charts.waits(axis, bars, hrefs),
    ]
    if not task_id:
        depths = rollups.depths("", axis.start)
        shown.append(metric_charts.depth(axis, depths, "Saturation", "Slots"))
    shown.append(metric_charts.ranges(whole.durations))
    names = {} if task_id else rollups.each(Facet.TASK, axis.start, axis.now, rest)
    ranked = [_ranked(axis, name, tally) for name, tally in names.items()]
    return Board(
        charts=shown,
        sampled=_sampled(axis, task_id, whole.triggered),
        failing=_failing(ranked),
        slowest=_slowest(ranked),
        whole=whole,
        until=rest.until if rest.is_behind else None,
    )


def _sampled(axis: Axis, task_id: str, made: int) -> Chart:
    found = samples.spread(axis.start, axis.now, task_id)
    href = runs_href(task=task_id, **{"from": axis.start.isoformat()})
    return metric_charts.starts(axis, found, made, href)


def _ranked(axis: Axis, task_id: str, tally: Tally) -> Ranked:
    href = runs_href(task=task_id, **{"from": axis.start.isoformat()})
    return Ranked(task_id, tally, tally.duration(0.95), href)


def _failing(ranked: list[Ranked]) -> list[Ranked]:
    found = [one for one in ranked if one.tally.bad]
    return sorted(found, key=lambda one: (-one.tally.bad, one.task_id))[:SHOWN]


def _slowest(ranked: list[Ranked]) -> list[Ranked]:
    found = [one for one in ranked if one.p95 is not None]
    return sorted(found, key=lambda one: (-(one.p95 or 0), one.task_id))[:SHOWN]


def _links(axis: Axis, task_id: str) -> dict[str, str]:
    since = {"from": axis.start.isoformat()}
    return {
        "all": runs_href(task=task_id, **since),
        "failed": runs_href(task=task_id, status=sorted(UNSUCCESSFUL), **since),
    }

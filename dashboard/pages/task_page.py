"""One task: what it is, what it does, when it fires, how it performs, what it takes."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions
from dashboard.pages import (
    live,
    metric_charts,
    schedule_rows,
    schema_help,
    shell,
    task_pause,
    timeaxis,
)
from dashboard.pages.charts import Chart
from dashboard.pages.page import page
from dashboard.pages.task_facts import facts, lines
from dashboard.pages.timeaxis import Axis, runs_href
from runs.histograms import Counts
from runs.models import Facet, Queue, Run, Schedule, Task
from runs.models.run import RunQuerySet
from runs.reads import rollups, samples
from runs.reads.counts import live_by_task
from runs.reads.deadline import TooSlow, deadline
from runs.reads.tally import Tally
from runs.reads.taskversions import broke, versions_of
from runs.reads.windows import floor_id
from runs.states import UNSUCCESSFUL

T = TypeVar("T")
PATIENCE = 2.0
RECENT = 15
#: Seconds.
REMEMBERED = 15
SCHEDULES = 50
TABS = {
    "runs": "Runs",
    "schedules": "Schedules",
    "performance": "Performance",
    "schema": "Payload schema",
}


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def detail(request: HttpRequest, task_id: str) -> HttpResponse:
    task = Task.objects.filter(id=task_id.replace("\x00", "")).first()
    if task is None:
        raise Http404(f"No worker has registered a task called “{task_id}”.")
    if request.method == "POST":
        return task_pause.act(request, task)
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "runs"
    context = _context(request, task, tab)
    return shell.render_live(
        request, "dashboard/task/page.html", "dashboard/task/_board.html", context
    )


def _context(request: HttpRequest, task: Task, tab: str) -> dict[str, Any]:
    axis = timeaxis.axis(request.GET.get("period", ""), timezone.now())
    context: dict[str, Any] = {
        "task": task,
        "tab": tab,
        "tabs": TABS.items(),
        "facts": facts(task),
        "queue": Queue.objects.filter(name=task.queue).first(),
        "period": axis.period,
        "words": axis.words,
        "windows": timeaxis.windows(request, axis.period, list(timeaxis.PERIODS)),
        "list_href": runs_href(task=task.id),
        "refusal": permissions.refusal(request.user, permissions.ADMINISTER),
        "may_test": permissions.may(request.user, permissions.OPERATE),
    }
    try:
        with deadline(PATIENCE):
            context |= _TABS[tab](task, axis)
    except TooSlow:
        context["is_late"] = True
    facts_shown = (task.registered_at, task.paused_at, task.active, task.broken, tab, axis.start)
    context["token"] = live.token(*facts_shown, context.get("state"))
    return context


def _runs(task: Task, axis: Axis) -> dict[str, Any]:
    """The newest runs, under what became of those before."""
    now = axis.now
    bars = _bars(task, axis)
    newest = Run.objects.light().filter(task_id=task.id).order_by("-id")[:RECENT]
    recent = lines(list(newest), now)
    running, queued = live_by_task()[0].get(task.id, (0, 0))
    whole = rollups.whole((now, bar) for bar in bars)
    state = [(one.run.pk, one.run.updated_at) for one in recent]
    return {
        # drawn where it is shown: a tick that finds nothing changed does not
        "activity": lambda: metric_charts.throughput(axis, bars, axis.hrefs(task=task.id)),
        "recent": recent,
        "running": running,
        "queued": queued,
        "whole": whole,
        "failed_href": runs_href(
            task=task.id, status=sorted(UNSUCCESSFUL), **{"from": axis.start.isoformat()}
        ),
        "state": (state, running, queued, whole.facts),
    }


def _schedules(task: Task, axis: Axis) -> dict[str, Any]:
    found = list(
        Schedule.objects.filter(task_id=task.id).order_by("-active", "next_at")[:SCHEDULES]
    )
    return {
        "rows": schedule_rows.rows(found),
        "state": [(one.pk, one.updated_at, one.next_at) for one in found],
    }


def _performance(task: Task, axis: Axis) -> dict[str, Any]:
    """Durations, waits, the slowest, and how each version did."""
    bars = _bars(task, axis)
    whole = rollups.whole((axis.now, bar) for bar in bars)
    versions = _remembered("versions", task, axis, lambda: versions_of(task.id))
    return {
        "whole": whole,
        "p50": whole.duration(0.5),
        "p95": whole.duration(0.95),
        "p99": whole.duration(0.99),
        "wait": whole.wait(0.95),
        "charts": lambda: _charts(task, axis, bars, whole.durations),
        "slowest": lines(
            _remembered("slowest", task, axis, lambda: _slowest(task, axis)), axis.now
        ),
        "looked_at": samples.LOOKED_AT,
        "versions": versions,
        "broke": broke(versions),
        "state": whole.facts,
    }


def _charts(task: Task, axis: Axis, bars: list[Tally], durations: Counts) -> list[Chart]:
    hrefs = axis.hrefs(task=task.id)
    failed = axis.hrefs(task=task.id, status=sorted(UNSUCCESSFUL))
    return [
        metric_charts.durations(axis, bars, hrefs),
        metric_charts.ranges(durations),
        metric_charts.waits(axis, bars, hrefs),
        metric_charts.failures(axis, bars, failed),
    ]


def _schema(task: Task, axis: Axis) -> dict[str, Any]:
    return {
        "fields": schema_help.fields(task.schema),
        "example": schema_help.example(task.schema),
        "state": task.schema,
    }


def _slowest(task: Task, axis: Axis) -> list[Run]:
    since: RunQuerySet = Run.objects.filter(task_id=task.id, id__gte=floor_id("run", axis.start))
    return samples.slowest(since)


def _remembered(what: str, task: Task, axis: Axis, read: Callable[[], T]) -> T:
    """What takes a look into thousands of runs is good for a few ticks of an open page."""
    name = f"{task.id}\n{axis.period}\n{axis.start.isoformat()}"
    # caches refuse keys that are long or hold odd characters
    key = f"dashboard.task.{what}.{sha256(name.encode()).hexdigest()[:32]}"
    known: T | None = cache.get(key)
    if known is None:
        known = read()
        cache.set(key, known, REMEMBERED)
    return known


def _bars(task: Task, axis: Axis) -> list[Tally]:
    timed = rollups.over_time(Facet.TASK, task.id, axis.start, axis.step, rollups.tail(axis.now))
    return axis.spread(timed)


_TABS: dict[str, Callable[[Task, Axis], dict[str, Any]]] = {
    "runs": _runs,
    "schedules": _schedules,
    "performance": _performance,
    "schema": _schema,
}

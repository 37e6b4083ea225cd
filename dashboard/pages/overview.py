"""The first page: what runs, what waits, what fails, task by task."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard import presenters
from dashboard.pages import live, shell
from dashboard.pages.bars import bars
from dashboard.pages.page import page
from dashboard.pages.run_query import RunQuery
from runs.models import Run, Task
from runs.reads.activity import Activity, last_day, last_runs
from runs.reads.counts import Tiles, live_by_task, tiles
from runs.reads.deadline import TooSlow, deadline
from runs.states import LEASED, UNSUCCESSFUL, RunStatus

PATIENCE = 2.0
REMEMBERED = 15
TASKS = 200
SORTS = {"name": "Name", "failing": "Failing", "busiest": "Busiest"}


@dataclass(frozen=True, slots=True)
class Day:
    """What is shown of a task's last 24 hours."""

    completed: int = 0
    failed: int = 0
    failure_rate: float | None = None
    peak: int = 0
    #: (tone, path) of each colour of the bars.
    bars: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One task's line."""

    task: Task
    last: Run | None
    look: presenters.Look | None
    running: int
    queued: int
    day: Day

    @property
    def failing(self) -> float:
        return self.day.failure_rate or 0.0


@page()
def index(request: HttpRequest) -> HttpResponse:
    return shell.render_live(
        request, "dashboard/overview/index.html", "dashboard/overview/_live.html", _context(request)
    )


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    sort = request.GET.get("sort", "")
    search = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    tasks = list(Task.objects.filter(id__icontains=search, active=True)[:TASKS])
    context: dict[str, Any] = {"now": now, "search": search, "sort": sort, "sorts": SORTS.items()}
    try:
        with deadline(PATIENCE):
            counts, more = live_by_task()
            context |= {"tiles": tiles(now), "rows": _rows(tasks, counts, now), "more": more}
    except TooSlow:
        context |= {"tiles": None, "rows": [Row(task, None, None, 0, 0, Day()) for task in tasks]}
    context["rows"] = _sorted(context["rows"], sort)
    context["token"] = _token(context)
    context |= {"links": _links(), "oldest_wait": _oldest_wait(context["tiles"], now)}
    context["has_tasks"] = bool(tasks or search)
    return context


def _rows(tasks: list[Task], counts: dict[str, tuple[int, int]], now: datetime) -> list[Row]:
    days, newest = _days(now), last_runs(tasks)
    rows = []
    for task in tasks:
        last = newest.get(task.id)
        running, queued = counts.get(task.id, (0, 0))
        look = presenters.look(last) if last else None
        rows.append(Row(task, last, look, running, queued, days.get(task.id, Day())))
    return rows


def _days(now: datetime) -> dict[str, Day]:
    """The last day of each task, counted and drawn at most every REMEMBERED seconds."""
    known: dict[str, Day] | None = cache.get("dashboard.days")
    if known is None:
        known = {task_id: _day(activity) for task_id, activity in last_day(now).items()}
        cache.set("dashboard.days", known, REMEMBERED)
    return known


def _day(activity: Activity) -> Day:
    return Day(
        completed=activity.completed,
        failed=activity.failed,
        failure_rate=activity.failure_rate,
        peak=activity.peak,
        bars=bars(activity),
    )


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    if sort == "failing":
        return sorted(rows, key=lambda row: (-row.failing, row.task.id))
    if sort == "busiest":
        return sorted(rows, key=lambda row: (-(row.running + row.queued), row.task.id))
    return rows


def _links() -> dict[str, str]:
    """Where the tiles lead."""
    return {
        "running": RunQuery(status=tuple(sorted(LEASED)), period="all").encode(),
        "queued": RunQuery(status=(RunStatus.QUEUED,), period="all").encode(),
        "failed": RunQuery(status=tuple(sorted(UNSUCCESSFUL)), period="24h").encode(),
    }


def _oldest_wait(shown: Tiles | None, now: datetime) -> timedelta | None:
    oldest = shown.oldest_queued if shown else None
    return now - oldest.queued_at if oldest and oldest.queued_at else None


def _token(context: dict[str, Any]) -> str:
    facts = [
        (row.task.id, row.task.broken, row.last and row.last.updated_at, row.running, row.queued)
        for row in context["rows"]
    ]
    peaks = [row.day.peak for row in context["rows"]]
    shown = context["tiles"]
    counts = shown and (shown.running, shown.queued, shown.failed)
    return live.token(facts, peaks, counts)

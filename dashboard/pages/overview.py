"""The first page: what runs, what waits, what fails, task by task."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard import presenters
from dashboard.pages import live, shell
from dashboard.pages.page import page
from dashboard.pages.task_days import Day, Days, days
from dashboard.pages.timeaxis import runs_href
from runs.models import Run, Schedule, Task
from runs.reads.activity import last_runs
from runs.reads.counts import Tiles, live_by_task, tiles
from runs.reads.deadline import TooSlow, deadline
from runs.states import LEASED, UNSUCCESSFUL, RunStatus

PATIENCE = 2.0
TASKS = 200
SORTS = {"name": "Name", "failing": "Failing", "busiest": "Busiest"}
#: How tasks are started, by words of the address; "" is any.
KINDS = {"": "All", "scheduled": "Scheduled", "webhook": "Webhook", "called": "Called"}
GLYPHS = {"scheduled": "schedules", "webhook": "http", "called": "tasks"}


@dataclass(frozen=True, slots=True)
class Row:
    """One task's line."""

    task: Task
    kind: str
    last: Run | None
    look: presenters.Look | None
    running: int
    queued: int
    day: Day

    @property
    def failing(self) -> float:
        return self.day.failure_rate or 0.0

    @property
    def glyph(self) -> str:
        return GLYPHS[self.kind]

    @property
    def kind_words(self) -> str:
        return KINDS[self.kind]


@page()
def index(request: HttpRequest) -> HttpResponse:
    return shell.render_live(
        request, "dashboard/overview/index.html", "dashboard/overview/_live.html", _context(request)
    )


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    asked = _asked(request)
    context: dict[str, Any] = asked | {"now": now, "sorts": SORTS.items(), "kinds": KINDS.items()}
    tasks = _tasks(asked["search"])
    kinds = {task.id: _kind(task) for task in tasks}
    shown = [task for task in tasks if asked["kind"] in ("", kinds[task.id])]
    try:
        with deadline(PATIENCE):
            counts, more = live_by_task()
            day = days(now)
            shown = [task for task in shown if task.active or task.id in {*counts, *day.tasks}]
            context |= {
                "tiles": tiles(now, None if more else counts),
                "rows": _rows(shown, kinds, counts, day),
            }
            context |= {"more": more, "until": day.until}
    except TooSlow:
        rows = [Row(task, kinds[task.id], None, None, 0, 0, Day()) for task in shown]
        context |= {"tiles": None, "rows": rows, "is_late": True}
    context["rows"] = _sorted(context["rows"], asked["sort"])
    context["token"] = _token(context)
    context |= {"links": _links(), "oldest_wait": _oldest_wait(context["tiles"], now)}
    context["has_tasks"] = bool(context["rows"] or asked["search"] or asked["kind"])
    return context


def _tasks(search: str) -> list[Task]:
    """Those of the code first; others are shown where they still have runs."""
    schedules = Schedule.objects.filter(task_id=OuterRef("pk"), active=True)
    found = Task.objects.authored().filter(id__icontains=search)
    return list(found.annotate(scheduled=Exists(schedules)).order_by("-active", "id")[:TASKS])


def _asked(request: HttpRequest) -> dict[str, str]:
    sort, kind = request.GET.get("sort", ""), request.GET.get("kind", "")
    return {
        "search": request.GET.get("q", "").replace("\x00", "").strip()[:100],
        "sort": sort if sort in SORTS else "",
        "kind": kind if kind in KINDS else "",
    }


def _kind(task: Any) -> str:
    if task.webhook_path:
        return "webhook"
    return "scheduled" if task.scheduled else "called"


def _rows(
    tasks: list[Task], kinds: dict[str, str], counts: dict[str, tuple[int, int]], known: Days
) -> list[Row]:
    newest = last_runs(tasks)
    rows = []
    for task in tasks:
        last = newest.get(task.id)
        running, queued = counts.get(task.id, (0, 0))
        look = presenters.look(last) if last else None
        day = known.tasks.get(task.id, Day())
        rows.append(Row(task, kinds[task.id], last, look, running, queued, day))
    return rows


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    if sort == "failing":
        return sorted(rows, key=lambda row: (-row.failing, row.task.id))
    if sort == "busiest":
        return sorted(rows, key=lambda row: (-row.day.ended, -row.running, row.task.id))
    return sorted(rows, key=lambda row: row.task.id)


def _links() -> dict[str, str]:
    """Where the tiles lead."""
    return {
        "running": runs_href(status=sorted(LEASED), period="all"),
        "queued": runs_href(status=RunStatus.QUEUED, period="all"),
        "failed": runs_href(status=sorted(UNSUCCESSFUL), period="24h"),
    }


def _oldest_wait(shown: Tiles | None, now: datetime) -> timedelta | None:
    oldest = shown.oldest_queued if shown else None
    return now - oldest.queued_at if oldest and oldest.queued_at else None


def _token(context: dict[str, Any]) -> str:
    facts = [
        (
            row.task.id,
            row.task.broken,
            row.task.paused_at,
            row.last and row.last.updated_at,
            row.running,
            row.queued,
        )
        for row in context["rows"]
    ]
    peaks = [(row.day.peak, row.day.ended, row.day.failed) for row in context["rows"]]
    shown = context["tiles"]
    counts = shown and (shown.running, shown.queued, shown.failed)
    return live.token(facts, peaks, counts)

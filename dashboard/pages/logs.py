"""Logs: a search through the lines of all runs of a window, with the lines around a hit."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard import sight
from dashboard.pages import ansi, charts, shell, timeaxis
from dashboard.pages.charts import Bucket, Chart, Series
from dashboard.pages.page import page
from dashboard.pages.timeaxis import Axis
from runs.models import LogLine, Task
from runs.reads import logsearch
from runs.reads.logsearch import Found, LogQuery

#: Seconds a search may take.
PATIENCE = 2.0
WINDOWS = ("15m", "1h", "6h", "24h", "3d", "7d", "30d", "90d")
DEFAULT = "1h"
LEVELS = {"": "All", "20": "Info", "30": "Warning", "40": "Error"}
SERIES = (Series("Info and below", "active"), Series("Warning", "warn"), Series("Error", "bad"))
OFFERED, MAX_SEARCH = 200, 200


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that matches, and those around it where they are asked for."""

    line: LogLine
    task_id: str
    before: list[LogLine]
    after: list[LogLine]
    #: The page with the lines around it, or without.
    toggle: str
    is_open: bool

    @property
    def since(self) -> int:
        """From where the run's own page shows its lines."""
        return max(0, self.line.pk - 200)


@page()
def index(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    asked = _asked(request)
    axis = timeaxis.axis(asked["period"], now)
    context: dict[str, Any] = {
        "asked": asked,
        "hidden": sight.HIDDEN if sight.is_hidden() else "",
        "words": axis.words,
        "levels": [(_address(asked | {"level": key, "before": ""}), word, asked["level"] == key)
                   for key, word in LEVELS.items()],
        "windows": [(_address(asked | {"period": name, "before": ""}), name, asked["period"] == name)
                    for name in WINDOWS],
        "tasks": Task.objects.filter(active=True).values_list("id", flat=True)[:OFFERED],
        "is_narrowed": bool(asked["q"] or asked["task"] or asked["level"]),
    }  # fmt: skip
    if not context["hidden"]:
        context |= _found(request, asked, axis)
    return shell.render(request, "dashboard/logs/index.html", context)


def _asked(request: HttpRequest) -> dict[str, str]:
    """What the address asks for; words that mean nothing are dropped."""
    period, level = request.GET.get("period", ""), request.GET.get("level", "")
    before = request.GET.get("before", "")
    return {
        "q": request.GET.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH],
        "task": request.GET.get("task", "").replace("\x00", "").strip()[:256],
        "level": level if level in LEVELS else "",
        "period": period if period in WINDOWS else DEFAULT,
        "before": before if before.isascii() and before.isdecimal() and len(before) < 19 else "",
    }


def _found(request: HttpRequest, asked: dict[str, str], axis: Axis) -> dict[str, Any]:
    query = LogQuery(
        start=axis.start,
        end=axis.now + timedelta(minutes=1),
        level=int(asked["level"] or 0),
        task=asked["task"],
        text=asked["q"],
        before=int(asked["before"] or 0),
    )
    found = logsearch.search(query, PATIENCE)
    hits, older = _hits(request, asked, found), found.next_before
    if len(hits) < len(found.lines):
        # a number or a bar would tell what is masked
        found = replace(found, matches=[(one.line.pk, one.line.at, one.line.level) for one in hits])
    return {
        "found": found,
        "hits": hits,
        "chart": _chart(axis, found, asked),
        "older": _address(asked | {"before": str(older)}) if older else "",
        "newest": _address(asked | {"before": ""}) if asked["before"] else "",
        "wider": _wider(asked),
        "cleared": _address({"period": asked["period"]}),
        "patience": PATIENCE,
    }


def _hits(request: HttpRequest, asked: dict[str, str], found: Found) -> list[Hit]:
    tasks = logsearch.tasks_of(found.lines)
    wanted = request.GET.get("line", "")
    hits = []
    for line in _visible(found.lines, asked["q"]):
        is_open = str(line.pk) == wanted
        before, after = logsearch.around(line) if is_open else ([], [])
        toggle = _address(asked | ({} if is_open else {"line": str(line.pk)}))
        task_id = tasks.get(line.run_id, "")
        around = _visible(before, ""), _visible(after, "")
        hits.append(Hit(line, task_id, *around, f"{toggle}#L{line.pk}", is_open))
    return hits


def _visible(lines: list[LogLine], search: str) -> list[LogLine]:
    """As the reader may see them; a search finds nothing in what is masked."""
    for line in lines:
        line.message = ansi.plain(sight.text(line.message))
    return [line for line in lines if search.lower() in line.message.lower()]


def _chart(axis: Axis, found: Found, asked: dict[str, str]) -> Chart:
    """When the matches were written; a bar leads to its own lines only through the window."""
    counts = [[0, 0, 0] for _ in axis.starts]
    for _, at, level in found.matches:
        if (place := axis.place(at)) >= 0:
            counts[place][2 if level >= 40 else 1 if level >= 30 else 0] += 1
    marked = zip(axis.labels, counts, axis.is_last, strict=True)
    buckets = [Bucket(label, tuple(three), "", is_last) for label, three, is_last in marked]
    note = _note(found)
    return charts.stacked("lines", "Matching lines", SERIES, buckets, note=note)


def _note(found: Found) -> str:
    if len(found.matches) >= logsearch.MOST:
        return f"the newest {logsearch.MOST:,}"
    return "" if found.is_complete else f"since {_clock(found.reached_at)}"


def _clock(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%-d %b %H:%M}" if moment else "then"


def _wider(asked: dict[str, str]) -> list[tuple[str, str]]:
    """(address, words) of the next wider windows."""
    at = WINDOWS.index(asked["period"]) + 1
    return [
        (_address(asked | {"period": name, "before": ""}), timeaxis.PERIODS[name][0].lower())
        for name in WINDOWS[at : at + 2]
    ]


def _address(asked: dict[str, str]) -> str:
    return "?" + urlencode({name: value for name, value in asked.items() if value})

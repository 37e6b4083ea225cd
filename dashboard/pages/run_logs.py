"""The Logs tab: lines by level, by span and by what they say."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone

from dashboard import sight
from runs import conf
from runs.models import LogLine, Run

LINES = 500
SPAN = re.compile("[0-9a-f]{16}")
LEVELS = {"10": "debug", "20": "info", "30": "warning", "40": "error"}
MAX_SEARCH = 200


def context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the tab's template shows."""
    asked = asked_for(request)
    lines = matching(run, asked)
    since = request.GET.get("since", "")
    after = int(since) if since.isascii() and since.isdecimal() and len(since) < 19 else None
    if after is None and request.GET.get("end"):
        found = list(lines.reverse()[:LINES])[::-1]
    else:
        found = list((lines.filter(id__gt=after) if after else lines)[: LINES + 1])
    more = len(found) > LINES
    found = found[:LINES]
    return {
        "lines": visible(found, asked["q"]),
        "hidden": sight.HIDDEN if sight.is_hidden() else "",
        "more": more,
        "last_line": found[-1].id if found else after or 0,
        "since": after,
        "asked": asked,
        "levels": [
            (word, query(asked | {"level": number}), asked["level"] == number)
            for number, word in (("", "all"), *LEVELS.items())
        ],
        "query": query(asked),
        "live_query": urlencode({name: value for name, value in asked.items() if value}),
        "removed_after": removed_after(run) if not found else 0,
    }


def last(run: Run, count: int) -> list[LogLine]:
    """The end of a run's log."""
    lines = LogLine.objects.filter(run_id=run.id).order_by("-id")
    return list(lines[:count])[::-1]


def visible(lines: list[LogLine], search: str) -> list[LogLine]:
    """The lines as the reader may see them; a search finds nothing in what is masked."""
    for line in lines:
        line.message = sight.text(line.message)
    return [line for line in lines if search.lower() in line.message.lower()]


def asked_for(request: HttpRequest) -> dict[str, str]:
    """Which lines; words that mean nothing are dropped."""
    level, span = request.GET.get("level", ""), request.GET.get("span", "")
    return {
        "level": level if level in LEVELS else "",
        "span": span if SPAN.fullmatch(span) else "",
        "q": request.GET.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH],
    }


def matching(run: Run, asked: dict[str, str]) -> Any:
    lines = LogLine.objects.filter(run_id=run.id).order_by("id")
    if sight.is_hidden():
        return lines.none()
    if asked["level"]:
        lines = lines.filter(level__gte=int(asked["level"]))
    if asked["span"]:
        lines = lines.filter(span_id=asked["span"])
    return lines.filter(message__icontains=asked["q"]) if asked["q"] else lines


def query(asked: dict[str, str]) -> str:
    """The address of the tab with these filters."""
    return urlencode({"tab": "logs"} | {name: value for name, value in asked.items() if value})


def removed_after(run: Run) -> float:
    """After how many days the lines of a run this old were removed; 0 if they were not."""
    days = float(conf.get("LOG_RETENTION_DAYS"))
    old = timezone.now() - timedelta(days=days)
    return days if days and run.finished_at is not None and run.finished_at < old else 0

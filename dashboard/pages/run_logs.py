"""The Logs tab: lines by level, attempt, span and by what they say."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from dashboard import sight
from dashboard.pages import log_rows
from runs import conf
from runs.models import LogLine, Run
from runs.reads import attempts
from runs.reads.counts import capped

#: Lines of one answer, and how many before a line that is linked to.
LINES, BEFORE = 500, 100
#: Counted at most of what is left out.
COUNTED = 100_000
SPAN = re.compile("[0-9a-f]{16}")
LEVELS = {"10": "debug", "20": "info", "30": "warning", "40": "error"}
MAX_SEARCH = 200


def context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the tab's template shows."""
    asked = asked_for(request)
    lines = matching(run, asked)
    found = window(lines, request)
    marked, address = number(request.GET.get("line", "")), query(asked)
    shown = log_rows.drawn(
        visible(found["lines"], asked["q"]),
        address,
        marked,
        is_first=not found["since"],
        with_attempts=run.attempt_number > 1,
    )
    return found | {
        "lines": shown,
        "hidden": sight.HIDDEN if sight.is_hidden() else "",
        "asked": asked,
        "levels": links(asked, "level", (("", "all"), *LEVELS.items())),
        "attempts": links(asked, "attempt", numbers(run)),
        "query": address,
        "live_query": urlencode({name: value for name, value in asked.items() if value}),
        "removed_after": removed_after(run) if not shown else 0,
    }


def window(lines: QuerySet[LogLine], request: HttpRequest) -> dict[str, Any]:
    """Which lines: the first ones, the last ones, those around one, before one, or new ones."""
    asked = {name: number(request.GET.get(name, "")) for name in ("since", "line", "before")}
    is_live = request.path.endswith("/live")
    if asked["since"] and is_live:
        return _new(lines, asked["since"])
    if asked["before"] or request.GET.get("end"):
        earlier = lines.filter(id__lt=asked["before"]) if asked["before"] else lines
        found = list(earlier.reverse()[: LINES + 1])[::-1]
        return _window(found[-LINES:], lines, asked, has_earlier=len(found) > LINES)
    start = asked["since"] or 0
    if asked["line"]:
        around = lines.filter(id__lt=asked["line"]).reverse().values_list("id", flat=True)
        start = next(iter(around[BEFORE : BEFORE + 1]), 0)
    found = list((lines.filter(id__gt=start) if start else lines)[: LINES + 1])
    return _window(found[:LINES], lines, asked, has_earlier=bool(start), more=len(found) > LINES)


def _window(
    found: list[LogLine],
    lines: QuerySet[LogLine],
    asked: dict[str, int],
    *,
    has_earlier: bool,
    more: bool = False,
) -> dict[str, Any]:
    first, last_id = (found[0].pk, found[-1].pk) if found else (0, asked["since"])
    if asked["before"]:
        more = bool(found)
    return {
        "lines": found,
        "more": more,
        "first_line": first,
        "last_line": last_id,
        "since": asked["since"],
        "earlier": capped(lines.filter(id__lt=first), COUNTED) if has_earlier and first else None,
        "skipped": None,
    }


def _new(lines: QuerySet[LogLine], since: int) -> dict[str, Any]:
    """What was written since a page was drawn; of a flood the newest, and how many were skipped."""
    newer = lines.filter(id__gt=since)
    found = list(newer.reverse()[: LINES + 1])[::-1]
    skipped = None
    if len(found) > LINES:
        found = found[1:]
        skipped = capped(newer.filter(id__lt=found[0].pk), COUNTED)
    last_id = found[-1].pk if found else since
    return {
        "lines": found,
        "more": False,
        "first_line": found[0].pk if found else 0,
        "last_line": last_id,
        "since": since,
        "earlier": None,
        "skipped": skipped,
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
        "attempt": str(min(number(request.GET.get("attempt", "")), 2**31 - 1) or ""),
        "span": span if SPAN.fullmatch(span) else "",
        "q": request.GET.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH],
    }


def matching(run: Run, asked: dict[str, str]) -> QuerySet[LogLine]:
    lines = LogLine.objects.filter(run_id=run.id).order_by("id")
    if sight.is_hidden():
        return lines.none()
    if asked["level"]:
        lines = lines.filter(level__gte=int(asked["level"]))
    if asked["attempt"]:
        lines = lines.filter(attempt=int(asked["attempt"]))
    if asked["span"]:
        lines = lines.filter(span_id=asked["span"])
    return lines.filter(message__icontains=asked["q"]) if asked["q"] else lines


def numbers(run: Run) -> list[tuple[str, str]]:
    """Attempts to choose from; none where there is one."""
    begun = run.attempts_begun
    if begun < 2 or begun > attempts.MOST_EVENTS:
        return []
    shown = range(max(1, begun - 9), begun + 1)
    return [("", "all"), *((str(one), f"#{one}") for one in shown)]


def links(
    asked: dict[str, str], name: str, choices: Iterable[tuple[str, str]]
) -> list[tuple[str, str, bool]]:
    """(word, address, whether it is what is asked for)."""
    return [(word, query(asked | {name: value}), asked[name] == value) for value, word in choices]


def query(asked: dict[str, str]) -> str:
    """The address of the tab with these filters."""
    return urlencode({"tab": "logs"} | {name: value for name, value in asked.items() if value})


def number(text: str) -> int:
    """Of a line or an attempt; 0 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def removed_after(run: Run) -> float:
    """After how many days the lines of a run this old were removed; 0 if they were not."""
    days = float(conf.get("LOG_RETENTION_DAYS"))
    old = timezone.now() - timedelta(days=days)
    return days if days and run.finished_at is not None and run.finished_at < old else 0

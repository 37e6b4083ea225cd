"""The audit log: who did what, when, to what and why; to look at and to take away."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from dashboard import permissions
from dashboard.pages import reading, settings
from dashboard.pages.page import page
from dashboard.presenters import short_id
from runs import redaction
from runs.lifecycle.audit import REFUSED, VERBS
from runs.models import AuditLog
from runs.reads.auditing import AuditFilter
from runs.reads.deadline import TooSlow, deadline

PAGE, PATIENCE = 50, 2.0
PERIODS = {"24h": ("24 hours", 1), "7d": ("7 days", 7), "30d": ("30 days", 30), "90d": ("90 days", 90), "all": ("all time", 0)}  # fmt: skip
NOUNS = sorted({verb.partition(".")[0] for verb in VERBS})
ID = re.compile("(run|waitpoint|sched|bulk|batch)_[0-9a-z]{20}")
#: Beginnings of cells that a spreadsheet would run.
FORMULAE = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("at", "actor", "action", "target", "reason", "data", "ip", "result")
#: Whether it was refused: a word, the glyph beside it and the tone.
RESULTS = {False: ("Done", "tick", "ok"), True: ("Refused", "failed", "bad")}
#: Where a noun's targets are; "run" is the page of a run.
PAGES = {
    "run": "run", "queue": "queue", "schedule": "schedule", "waitpoint": "waitpoint",
    "key": "run", "error": "error", "bulk": "bulk_action", "batch": "batch", "template": "test_task",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A row on screen."""

    row: AuditLog
    words: str
    address: str
    target: str
    #: What it was about and what came of it.
    facts: list[tuple[str, str]]
    result: tuple[str, str, str]


@page(permissions.ADMINISTER)
def index(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    before = request.GET.get("before", "")
    found = _filter(asked).entries()
    if before.isascii() and before.isdecimal() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    context: dict[str, Any] = {
        "asked": asked,
        "before": before,
        "encoded": urlencode({name: value for name, value in asked.items() if value}),
        "periods": [(name, words) for name, (words, _) in PERIODS.items()],
        "verbs": [(noun, _of(noun)) for noun in NOUNS],
    }
    try:
        with deadline(PATIENCE):
            rows = list(found[: PAGE + 1])
    except TooSlow as error:
        context["too_slow"], rows = error, []
    context["entries"] = [_entry(row) for row in rows[:PAGE]]
    context["older"] = rows[PAGE - 1].pk if len(rows) > PAGE else ""
    return settings.render(request, "audit", "dashboard/audit/index.html", context)


@page(permissions.ADMINISTER)
def export(request: HttpRequest) -> HttpResponseBase:
    """All that match as CSV, sent while it is read."""
    lines = _lines(_filter(_asked(request)))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"audit-{timezone.now():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _asked(request: HttpRequest) -> dict[str, str]:
    """What the form says; words that mean nothing are dropped."""
    found = {
        name: reading.text_of(request.GET.get(name, "")) for name in ("actor", "target", "text")
    }
    action, period = request.GET.get("action", ""), request.GET.get("period", "")
    known = action in VERBS or action.removesuffix(".") in NOUNS
    found["action"] = action if known else ""
    found["period"] = period if period in PERIODS else "30d"
    return found


def _filter(asked: dict[str, str]) -> AuditFilter:
    days = PERIODS[asked["period"]][1]
    start = timezone.now() - timedelta(days=days) if days else None
    return AuditFilter(asked["actor"], asked["action"], asked["target"], asked["text"], start)


def _of(noun: str) -> list[tuple[str, str]]:
    return [(verb, words) for verb, words in VERBS.items() if verb.startswith(f"{noun}.")]


def _entry(row: AuditLog) -> Entry:
    noun = row.action.partition(".")[0]
    target = short_id(row.target) if ID.match(row.target) else row.target
    words = VERBS.get(row.action, row.action)
    facts, result = list(_facts(row)), RESULTS[row.action in REFUSED]
    return Entry(row, words, _address(noun, row.target), target, facts, result)


def _address(noun: str, target: str) -> str:
    """Where the target is, if it is something that has a page."""
    if noun not in PAGES or not target:
        return ""
    try:
        return reverse(f"dashboard:{PAGES[noun]}", args=[target])
    except NoReverseMatch:
        return ""


def _facts(row: AuditLog) -> Iterator[tuple[str, str]]:
    data = json.loads(_data(row)) if row.data else {}
    for name, value in data.items():
        if value in (None, "", [], {}):
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        yield name, text if len(text) <= 300 else f"{text[:299]}…"


def _data(row: AuditLog) -> str:
    return redaction.rules().document(row.data)


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def _lines(asked: AuditFilter) -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for row in asked.all():
        cells = (
            row.at.isoformat(),
            row.actor,
            row.action,
            row.target,
            row.reason,
            _data(row),
            row.ip or "",
            RESULTS[row.action in REFUSED][0].lower(),
        )
        yield writer.writerow([_harmless(cell) for cell in cells])


def _harmless(cell: str) -> str:
    """A spreadsheet takes some texts for formulae; the mark before them says that they are texts."""
    return f"'{cell}" if cell.startswith(FORMULAE) else cell

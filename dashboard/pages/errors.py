"""Errors: all groups of failures, as a list or by window."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from dashboard import veiled
from dashboard.pages import choices, error_rows, live, shell
from dashboard.pages.error_query import MATRIX_PERIODS, PERIODS, SORTS, STATUSES, VIEWS, ErrorQuery
from dashboard.pages.page import page, see_other
from runs.models import ErrorGroup, Task
from runs.reads.deadline import TooSlow, deadline

PATIENCE = 2.0
INDEX, BOARD = "dashboard/errors/index.html", "dashboard/errors/_board.html"


@page()
def index(request: HttpRequest) -> HttpResponse:
    query = ErrorQuery.parse(request.GET)
    context = _board(query, request.GET.get("cursor", ""))
    if not request.headers.get("HX-Request"):
        return shell.render(request, INDEX, context | _choices())
    if context["token"] == request.GET.get("v"):
        return HttpResponse(status=204)
    return render(request, BOARD, context)


@page()
def short_link(request: HttpRequest, fingerprint: str) -> HttpResponse:
    return see_other("error", fingerprint)


def _choices() -> dict[str, Any]:
    known = choices.names()
    return {
        "tasks": known["tasks"],
        "versions": known["versions"],
        "periods": [(name, words) for name, (words, _) in PERIODS.items()],
        "sorts": [(name, words) for name, (words, _) in SORTS.items()],
    }


def _board(query: ErrorQuery, cursor: str) -> dict[str, Any]:
    now = timezone.now()
    context: dict[str, Any] = {
        "query": query,
        "encoded": query.encode(),
        "cursor": cursor,
        "words": PERIODS[query.period][0],
        "tabs": [(label, value, query.having(status=value).encode()) for value, label in STATUSES],
        "views": [(label, value, query.having(view=value).encode()) for value, label in VIEWS.items()],
        "token": "",
    }  # fmt: skip
    try:
        with deadline(PATIENCE):
            shown = _matrix(query) if query.view == "matrix" else _list(query, cursor)
    except TooSlow as error:
        return context | {"too_slow": error}
    if not shown["rows"]:
        shown |= {
            "never": not ErrorGroup.objects.exists(),
            "no_tasks": not Task.objects.authored().exists(),
        }
        shown |= {"since": now - query.length, "now": now}
    return context | shown


def _list(query: ErrorQuery, cursor: str) -> dict[str, Any]:
    now = timezone.now()
    found = error_rows.cut(query, query.filter(now).groups(), cursor)
    rows = error_rows.rows(veiled.groups(found.groups, query.text), query.window(now))
    told = [(row.group.pk, row.group.revision, row.activity.bars) for row in rows]
    return {"slice": found, "rows": rows, "token": live.token(told)}


def _matrix(query: ErrorQuery) -> dict[str, Any]:
    """The groups that failed last."""
    now = timezone.now()
    groups = query.filter(now).groups().order_by("-last_at", "-fingerprint")
    found = list(groups[: error_rows.MATRIX_ROWS + 1])
    seen = veiled.groups(found[: error_rows.MATRIX_ROWS], query.text)
    rows = error_rows.matrix(seen, now)
    told = [(group.pk, group.revision, cells) for group, _, cells in rows]
    return {
        "rows": rows,
        "is_cut": len(found) > error_rows.MATRIX_ROWS,
        "columns": list(MATRIX_PERIODS.values()),
        "token": live.token(told),
    }

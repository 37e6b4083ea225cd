"""The runs list and its live parts."""

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.html import format_html_join

from dashboard import permissions
from dashboard.pages import (
    choices,
    columns,
    cookies,
    live,
    run_columns,
    run_copies,
    run_rows,
    run_search,
    run_strip,
    run_ticks,
    run_views,
    shell,
)
from dashboard.pages.page import page
from dashboard.pages.periods import PERIODS
from dashboard.pages.run_query import SIZES, RunQuery
from dashboard.presenters import LOOKS
from runs.lifecycle.checks import MACHINES
from runs.reads.deadline import TooSlow
from runs.reads.qualifiers import EXAMPLES

#: What may be searched, for the sheet beside the box.
EXAMPLES_DRAWN = format_html_join("", "<dt><code>{}</code></dt><dd>{}</dd>", EXAMPLES)


@page()
def index(request: HttpRequest) -> HttpResponse:
    whole = not request.headers.get("HX-Request")
    if whole and not request.GET and (first := run_views.first(request)):
        return redirect(first.address)
    query, now = RunQuery.parse(request.GET), timezone.now()
    if "rows" not in request.GET:
        query = replace(query, size=int(cookies.chosen(request, "rows")))
    context = run_search.results(query, request.GET.get("cursor", ""), now)
    may_act = permissions.may(request.user, permissions.OPERATE)
    context["drawn"] = run_rows.drawn(context.get("rows", ()), may_act=may_act)
    status = 400 if query.problem else 200
    if not whole:
        return render(request, "dashboard/runs/_results.html", context, status=status)
    context["window_words"] = run_search.window_words(query, now)
    context["view"] = view = run_views.of(request)
    context["is_changed"] = view is not None and view.differs(query)
    context["actor"] = permissions.actor(request.user)
    context["copies"] = run_copies.of(request, query)
    return shell.render(
        request, "dashboard/runs/index.html", context | _choices(request, query), status
    )


@page()
def live_rows(request: HttpRequest) -> HttpResponse:
    """Rows that changed since `have`, and how many matching runs are newer than `newest`."""
    query, now = RunQuery.parse(request.GET), timezone.now()
    if query.problem:
        return HttpResponse(status=204)
    newest = request.GET.get("newest", "").replace("\x00", "")
    told = request.GET.get("pill", "")
    changed, newer = run_ticks.look(query, live.known(request), newest, told, now)
    if not changed and newer is None:
        return HttpResponse(status=204)
    rows = run_rows.rows(changed, now, query.shown)
    may_act = permissions.may(request.user, permissions.OPERATE)
    context: dict[str, Any] = {"drawn": run_rows.drawn(rows, may_act=may_act, oob=True)}
    context |= {"newer": newer, "encoded": query.encode(), "oob": True}
    return render(request, "dashboard/runs/_live.html", context)


@page()
def counts(request: HttpRequest) -> HttpResponse:
    """How many stand where, asked for after the rows are on screen."""
    query, now = RunQuery.parse(request.GET), timezone.now()
    if query.problem:
        return HttpResponse(status=204)
    try:
        found = run_strip.sample(query, now)
    except TooSlow:
        return render(request, "dashboard/runs/_counts.html", {"too_slow": True})
    context = {
        "counts": run_strip.counts(query, found),
        "query": query,
        "sample": found,
        "all": replace(query, status=()).encode(),
        "chart": run_strip.strip(query, found, now),
        "strip": cookies.strip(request),
    }
    return render(request, "dashboard/runs/_counts.html", context)


def _choices(request: HttpRequest, query: RunQuery) -> dict[str, Any]:
    return {
        "looks": LOOKS.items(),
        "periods": [
            (words, query.with_period(name).encode(), name == query.period and not query.bounds)
            for name, (words, _) in PERIODS.items()
        ],
        "sizes": SIZES,
        "strip": cookies.strip(request),
        "offered": choices.lists(),
        "examples": EXAMPLES_DRAWN,
        "machines": MACHINES,
        "columns": run_columns.shown(query),
        "usual_columns": replace(query, shown=columns.STANDARD).encode(),
        "other_columns": run_columns.others(query),
    }

"""The runs list and its live parts."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from dashboard.pages import choices, columns, cursors, live, run_rows, shell
from dashboard.pages.page import page
from dashboard.pages.run_query import PERIODS, SIZES, RunQuery
from dashboard.presenters import LOOKS
from runs.lifecycle.checks import MACHINES
from runs.models import Run, Task
from runs.reads.counts import WIDE_CAP, by_status
from runs.reads.deadline import TooSlow, deadline
from runs.reads.windows import floor_id
from runs.states import FINAL

PATIENCE = 2.0
COUNTS_PATIENCE = 0.5
NEW_CAP = 100


@page()
def index(request: HttpRequest) -> HttpResponse:
    query = RunQuery.parse(request.GET)
    context = _results(query, request.GET.get("cursor", ""))
    if request.headers.get("HX-Request"):
        return render(request, "dashboard/runs/_results.html", context)
    return shell.render(request, "dashboard/runs/index.html", context | _choices())


@page()
def live_rows(request: HttpRequest) -> HttpResponse:
    """Rows that changed since `have`, and how many matching runs are newer than `newest`."""
    query, now = RunQuery.parse(request.GET), timezone.now()
    known = live.known(request)
    wanted = Run.objects.filter(id__in=list(known)).order_by("-id")
    runs = columns.read(wanted, run_rows.COLUMNS, query.columns)
    changed = [run for run in runs if run_rows.token(run) != known[run.id]]
    newest = request.GET.get("newest", "").replace("\x00", "")
    newer = _newer(query, newest, request.GET.get("pill", ""))
    if not changed and newer is None:
        return HttpResponse(status=204)
    context: dict[str, Any] = {"rows": run_rows.rows(changed, now, query.columns), "newer": newer}
    context |= {"encoded": query.encode(), "oob": True}
    return render(request, "dashboard/runs/_live.html", context)


@page()
def counts(request: HttpRequest) -> HttpResponse:
    """Chips with the number of runs per status, asked for after the rows are on screen."""
    query, now = RunQuery.parse(request.GET), timezone.now()
    try:
        with deadline(COUNTS_PATIENCE):
            found = by_status(query.filter(now).runs())
    except TooSlow:
        found = {}
    chips = [(status, LOOKS[status], found[status]) for status in LOOKS if status in found]
    context = {"counts": chips, "query": query, "capped": sum(found.values()) >= WIDE_CAP}
    return render(request, "dashboard/runs/_counts.html", context)


def _results(query: RunQuery, cursor: str) -> dict[str, Any]:
    now = timezone.now()
    context: dict[str, Any] = {"query": query, "encoded": query.encode(), "now": now}
    context["window"] = query.window(now)
    context["narrower_links"] = _periods(query, query.narrower()[:1])
    context["wider_links"] = _periods(query, query.wider()[:1])
    try:
        with deadline(PATIENCE):
            runs = columns.read(query.filter(now).runs(), run_rows.COLUMNS, query.columns)
            found = cursors.cut(runs, query.size, query.encode(), cursor)
    except TooSlow as error:
        return context | {"too_slow": error, "narrower": _periods(query, query.narrower())}
    context["slice"] = found
    context["rows"] = run_rows.rows(found.runs, now, query.columns)
    context["newest"] = found.runs[0].id if found.runs else floor_id("run", now)
    context["is_live"] = found.is_first or any(run.status not in FINAL for run in found.runs)
    return context if found.runs else context | _nothing(query)


def _nothing(query: RunQuery) -> dict[str, Any]:
    """What an empty list may suggest."""
    return {
        "wider": _periods(query, query.wider()),
        "no_tasks": not Task.objects.exists(),
        "no_runs": not Run.objects.exists(),
    }


def _periods(query: RunQuery, names: list[str]) -> list[tuple[str, str]]:
    return [(PERIODS[name][0], query.with_period(name).encode()) for name in names]


def _newer(query: RunQuery, newest: str, shown: str) -> int | None:
    """Matching runs above `newest`, NEW_CAP at most; None when that is what the page shows."""
    if not newest:
        return None
    try:
        with deadline(PATIENCE):
            runs = query.filter(timezone.now()).runs().filter(id__gt=newest)
            count = len(runs.order_by("-id").values_list("id")[:NEW_CAP])
    except TooSlow:
        return None
    return None if str(count) == (shown or "0") else count


def _choices() -> dict[str, Any]:
    return {
        "looks": LOOKS.items(),
        "periods": [(name, words) for name, (words, _) in PERIODS.items()],
        "sizes": SIZES,
        **choices.names(),
        "machines": MACHINES,
        "plain_columns": columns.PLAIN,
    }

"""Versions of the task code: what came and went with each, and how it did beside the one before."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard.pages import live, shell, timeaxis
from dashboard.pages.page import page
from runs.reads.deadline import TooSlow, deadline
from runs.reads.deploys import Deploy, deploys

PATIENCE = 2.0
#: Windows that are offered.
WINDOWS = ("24h", "7d", "30d", "90d")
#: Tasks that are named of each kind of change.
NAMED = 8


@page()
def index(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    period = request.GET.get("period", "")
    axis = timeaxis.axis(period if period in WINDOWS else "7d", now)
    rows: list[Deploy] | None = None
    try:
        with deadline(PATIENCE):
            rows = deploys(axis.start, now)
    except TooSlow:
        pass
    context: dict[str, Any] = {
        "rows": rows,
        "named": NAMED,
        "period": axis.period,
        "words": axis.words,
        "windows": timeaxis.windows(request, axis.period, WINDOWS),
        "token": live.token(axis.period, rows and [_facts(row) for row in rows]),
    }
    return shell.render_live(
        request, "dashboard/deploys/index.html", "dashboard/deploys/_table.html", context
    )


def _facts(row: Deploy) -> tuple[object, ...]:
    standing = row.version.pk, row.clusters, row.pinned, row.is_current, row.version.tasks
    return *standing, row.tally.facts

"""Troubled tasks: what only fails now, and what succeeds only after a retry."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard.pages import shell
from dashboard.pages.error_query import PERIODS
from dashboard.pages.page import page
from runs.reads import breaks, flaky
from runs.reads.deadline import TooSlow, deadline

PATIENCE = 2.0
DEFAULT = "24h"


@page()
def index(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("period", "")
    period = asked if asked in PERIODS else DEFAULT
    now = timezone.now()
    context: dict[str, Any] = {
        "period": period,
        "words": PERIODS[period][0],
        "periods": [(name, words) for name, (words, _) in PERIODS.items()],
        "since": now - PERIODS[period][1],
        "now": now,
    }
    try:
        with deadline(PATIENCE):
            context["found"] = flaky.since(context["since"], now)
            context["broken"] = breaks.broken(context["since"])
    except TooSlow as error:
        context["too_slow"] = error
    return shell.render(request, "dashboard/errors/flaky.html", context)

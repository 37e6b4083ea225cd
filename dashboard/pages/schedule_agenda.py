"""The fires of all schedules in the next hours, in order."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard import permissions
from dashboard.pages import shell
from dashboard.pages.page import page
from dashboard.pages.trigger_form import new_token
from runs.reads.agenda import agenda

HOURS = {"6": "6 hours", "24": "24 hours", "72": "3 days", "168": "7 days"}


@page()
def index(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("hours", "")
    hours = asked if asked in HOURS else "24"
    now = timezone.now()
    entries, is_cut = agenda(now, now + timedelta(hours=int(hours)))
    context: dict[str, Any] = {
        "entries": entries,
        "is_cut": is_cut,
        "hours": hours,
        "spans": [(name, words, name == hours) for name, words in HOURS.items()],
        "words": HOURS[hours],
        "run_refusal": permissions.refusal(request.user, permissions.OPERATE),
        "request_token": new_token(),
    }
    return shell.render(request, "dashboard/schedules/agenda.html", context)

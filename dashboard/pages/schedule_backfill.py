"""Making fires of the past: those that were missed, or a stretch of time a new schedule never had."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions
from dashboard.pages import reading, schedule_rows, shell
from dashboard.pages.page import page, see_other
from dashboard.pages.schedules import find
from runs.cron import zone
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import backfilling
from runs.lifecycle.backfilling import Plan
from runs.models import Schedule

SHOWN = 10
DAY = timedelta(days=1)
PICKER = {"type": "datetime-local", "step": "60"}


class BackfillForm(forms.Form):
    """Which times, and how fast."""

    start = forms.CharField(label="From", max_length=40, widget=forms.DateTimeInput(attrs=PICKER))
    until = forms.CharField(label="To", max_length=40, widget=forms.DateTimeInput(attrs=PICKER))
    per_minute = forms.IntegerField(
        label="Runs a minute",
        required=False,
        min_value=1,
        max_value=100_000,
        help_text="Spreads their starts. All at once if empty, as far as their queue has room.",
    )
    reason = forms.CharField(required=False, max_length=500, help_text="For the audit log.")

    def __init__(self, here: ZoneInfo, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.here = here

    def clean_start(self) -> datetime:
        return self._moment("start")

    def clean_until(self) -> datetime:
        return self._moment("until")

    def _moment(self, name: str) -> datetime:
        with timezone.override(self.here):
            found = reading.moment(self.cleaned_data[name])
        if found is None:
            raise forms.ValidationError("State a date and a time, like 2026-01-31T14:00.")
        return found


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def backfill(request: HttpRequest, schedule_id: str) -> HttpResponse:
    row = find(schedule_id)
    here = _zone(row)
    sent = request.POST if request.method == "POST" else None
    form = BackfillForm(here, sent, initial=_initial(here))
    plan = _plan(row, form) if sent is not None and form.is_valid() else None
    asked = request.POST.get("do") == "make"
    if plan is None or not plan.fires or not asked:
        return _show(request, row, form, plan, status=422 if asked or form.errors else 200)
    try:
        return _made(request, row, form, plan)
    except (InvalidOption, InvalidPayload) as error:
        form.add_error(None, str(error))
        return _show(request, row, form, plan, status=422)


def _zone(row: Schedule) -> ZoneInfo:
    try:
        return zone(row.timezone)
    except InvalidOption:
        return ZoneInfo("UTC")


def _initial(here: ZoneInfo) -> dict[str, Any]:
    """The last day."""
    now = timezone.now().astimezone(here)
    return {"start": f"{now - DAY:%Y-%m-%dT%H:%M}", "until": f"{now:%Y-%m-%dT%H:%M}"}


def _plan(row: Schedule, form: BackfillForm) -> Plan | None:
    try:
        return backfilling.plan(row, form.cleaned_data["start"], form.cleaned_data["until"])
    except InvalidOption as error:
        form.add_error(error.option if error.option in form.fields else None, str(error))
        return None


def _made(request: HttpRequest, row: Schedule, form: BackfillForm, plan: Plan) -> HttpResponse:
    made = backfilling.backfill(
        row.pk,
        plan.fires,
        actor=permissions.actor(request.user),
        per_minute=form.cleaned_data["per_minute"] or 0,
        reason=form.cleaned_data["reason"].replace("\x00", ""),
    )
    messages.success(request, f"Made {len(made)} run{'' if len(made) == 1 else 's'}.")
    return see_other("schedule", row.pk)


def _show(
    request: HttpRequest, row: Schedule, form: BackfillForm, plan: Plan | None, status: int
) -> HttpResponse:
    here = _zone(row)
    fires = plan.fires if plan else ()
    context = {
        "schedule": row,
        "form": form,
        "plan": plan,
        "first": [schedule_rows.shown(at, here) for at in fires[:SHOWN]],
        "last": schedule_rows.shown(fires[-1], here) if len(fires) > SHOWN else "",
        "word": f"Make {len(fires)} run{'' if len(fires) == 1 else 's'}",
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
    }
    return shell.render(request, "dashboard/schedules/backfill.html", context, status=status)

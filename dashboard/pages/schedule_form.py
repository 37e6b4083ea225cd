"""Making and changing schedules; what they would do is shown before anything is saved."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions
from dashboard.pages import schedule_rows, shell
from dashboard.pages.page import page, see_other
from dashboard.pages.schedules import find, refusal
from runs import cron as crons
from runs import spread
from runs.errors import InvalidOption
from runs.lifecycle import schedules
from runs.lifecycle.schedules import LONGEST_KEY, Timetable
from runs.models import CatchUp, Overlap, Schedule, Task

OFFERED = 500
PREVIEWED = 5
OVERLAPS = [("", "As the task says"), *Overlap.choices]
TEXT = {"autocomplete": "off", "spellcheck": "false"}


class ScheduleForm(forms.Form):
    """What a person may say of a schedule."""

    task_id = forms.CharField(
        label="Task", max_length=256, widget=forms.TextInput(attrs=TEXT | {"list": "tasks"})
    )
    cron = forms.CharField(
        label="Cron",
        max_length=crons.LONGEST,
        widget=forms.TextInput(attrs=TEXT | {"class": "mono", "placeholder": "0 5 * * MON-FRI"}),
        help_text="Minute, hour, day, month, weekday. L is the last day, MON#1 the first Monday; @daily works too.",
    )
    timezone = forms.CharField(
        label="Time zone", max_length=64, widget=forms.TextInput(attrs=TEXT | {"list": "all-zones"})
    )
    overlap = forms.ChoiceField(
        label="While a run of it is open",
        required=False,
        choices=OVERLAPS,
        help_text="A run is open until it has ended, whether it executes or still stands in its queue.",
    )
    catch_up = forms.ChoiceField(
        label="Fires that were missed",
        choices=CatchUp.choices,
        help_text="Missed is what nobody could make at its time, because no cluster was running.",
    )
    window = forms.CharField(
        label="Window",
        required=False,
        max_length=spread.LONGEST,
        widget=forms.TextInput(attrs=TEXT | {"placeholder": "30m or 50%"}),
        help_text="Spreads fires: each comes at a place of its own within so long after its time.",
    )
    external_id = forms.CharField(
        label="External id",
        required=False,
        max_length=LONGEST_KEY,
        widget=forms.TextInput(attrs=TEXT),
        help_text="Your own id, handed to each run.",
    )
    deduplication_key = forms.CharField(
        label="Deduplication key",
        required=False,
        max_length=LONGEST_KEY,
        widget=forms.TextInput(attrs=TEXT),
        help_text="At most one schedule has it. Saving with a known key changes that schedule.",
    )

    def timetable(self) -> Timetable:
        data = self.cleaned_data
        return Timetable(
            task_id=data["task_id"],
            cron=data["cron"],
            timezone=data["timezone"],
            external_id=data["external_id"] or None,
            overlap=data["overlap"],
            catch_up=data["catch_up"],
            window=data["window"],
        )

    def refuse(self, error: InvalidOption) -> None:
        """Say it at the field it is about."""
        name = "task_id" if error.option == "task" else error.option
        self.add_error(name if name in self.fields else None, str(error))


@dataclass(frozen=True, slots=True)
class Preview:
    """What an expression means, or why it means nothing."""

    error: str = ""
    sentence: str = ""
    timezone: str = ""
    coming: tuple[schedule_rows.Coming, ...] = ()
    notes: tuple[str, ...] = ()


def previewed(cron: str, zone: str) -> Preview:
    if not cron.strip():
        return Preview()
    now = timezone.now()
    try:
        clock = crons.parse(cron, zone.strip() or "UTC")
    except InvalidOption as error:
        return Preview(error=str(error))
    return Preview(
        sentence=clock.sentence,
        timezone=clock.timezone,
        coming=tuple(schedule_rows.coming(clock, now, PREVIEWED)),
        notes=tuple(clock.notes(now)),
    )


@page()
def preview(request: HttpRequest) -> HttpResponse:
    """The fragment beside the form, asked for while somebody types."""
    found = previewed(request.GET.get("cron", ""), request.GET.get("timezone", ""))
    return render(request, "dashboard/schedules/_preview.html", {"preview": found})


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def new(request: HttpRequest) -> HttpResponse:
    initial = {
        "timezone": "UTC",
        "task_id": request.GET.get("task", "")[:256],
        "cron": request.GET.get("cron", "")[: crons.LONGEST],
    }
    form = ScheduleForm(request.POST or None, initial=initial)
    return _answer(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def edit(request: HttpRequest, schedule_id: str) -> HttpResponse:
    row = find(schedule_id)
    names = ("task_id", "cron", "timezone", "overlap", "catch_up", "window", "external_id")
    form = ScheduleForm(request.POST or None, initial={name: getattr(row, name) for name in names})
    del form.fields["deduplication_key"]
    return _answer(request, form, row)


def _answer(request: HttpRequest, form: ScheduleForm, row: Schedule | None) -> HttpResponse:
    """Save, or show the form: empty, with a preview, or with what is wrong."""
    is_preview = request.POST.get("action") == "preview"
    if request.method == "POST" and not is_preview and form.is_valid():
        saved = _saved(request, form, row)
        if saved is not None:
            return see_other("schedule", saved.pk)
    status = 422 if request.method == "POST" and not is_preview else 200
    return _show(request, form, row, status)


def _saved(request: HttpRequest, form: ScheduleForm, row: Schedule | None) -> Schedule | None:
    actor = permissions.actor(request.user)
    try:
        if row is None:
            key = form.cleaned_data["deduplication_key"] or None
            saved = schedules.create(form.timetable(), deduplication_key=key, actor=actor)
        else:
            saved = schedules.update(row.pk, form.timetable(), actor=actor)
    except InvalidOption as error:
        form.refuse(error)
        return None
    messages.success(request, "Saved.")
    return saved


def _show(
    request: HttpRequest, form: ScheduleForm, row: Schedule | None, status: int
) -> HttpResponse:
    refused = permissions.refusal(request.user, permissions.ADMINISTER)
    context: dict[str, Any] = {
        "form": form,
        "schedule": row,
        "preview": previewed(form["cron"].value() or "", form["timezone"].value() or ""),
        "tasks": Task.objects.authored().filter(active=True).values_list("id", flat=True)[:OFFERED],
        "zones": sorted(crons.zone_names()),
        "refusal": refused if row is None else refusal(request, row),
    }
    return shell.render(request, "dashboard/schedules/form.html", context, status=status)

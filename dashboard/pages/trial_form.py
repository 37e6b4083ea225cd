"""The form of the Test page: what a run gets, and when it starts."""

from typing import Any

from django import forms

from dashboard.pages import reading
from dashboard.pages.trigger_form import ExactTextarea, TriggerForm
from runs import cron as crons
from runs.errors import InvalidOption

NOW, AT, EVERY = "now", "at", "every"
WHEN = {NOW: "Now", AT: "At a time", EVERY: "Again and again"}


class TrialForm(TriggerForm):
    """What a person may say about a run, or about many, made by hand."""

    lines = forms.CharField(
        label="Payloads",
        required=False,
        strip=False,
        widget=ExactTextarea(attrs={"rows": 14, "spellcheck": "false"}),
        help_text="JSON, one payload a line: a run for each, at most 100, as one batch. All or none.",
    )
    when = forms.ChoiceField(required=False, choices=WHEN.items(), widget=forms.RadioSelect)
    at = forms.CharField(
        label="Start",
        required=False,
        max_length=40,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
    )
    cron = forms.CharField(
        label="Cron",
        required=False,
        max_length=crons.LONGEST,
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "0 5 * * MON-FRI"}),
        help_text="Leads to a new schedule with this in it; nothing is made before you save it there.",
    )

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        match found.get("when"):
            case "at" if "delay" in found:
                self._start_at(found)
            case "every":
                self._check_cron(found.get("cron", ""))
        return found

    def _start_at(self, found: dict[str, Any]) -> None:
        if found["delay"] is not None:
            self.add_error("at", "There is a delay under Options too. State one of them.")
            return
        moment = reading.moment(found["at"])
        if moment is None:
            self.add_error("at", "State a date and a time, like 2026-01-31T14:00.")
            return
        found["delay"] = moment

    def _check_cron(self, text: str) -> None:
        try:
            crons.parse(text, "UTC")
        except InvalidOption as error:
            self.add_error("cron", str(error))

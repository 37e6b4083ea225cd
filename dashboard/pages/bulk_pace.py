"""How fast a bulk action goes: asked for on its form, and told there before it is begun."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from dashboard.pages.page import page
from dashboard.presenters import duration_text
from runs import durations
from runs.errors import InvalidOption
from runs.lifecycle.bulkoptions import FASTEST, LONGEST_SPREAD, BulkOptions
from runs.models import BulkKind

#: One of them at most is said.
FIELDS = ("per_minute", "spread")
#: Runs that may be asked about; more than any table has.
MOST = 10**12


class PaceForm(forms.Form):
    """How fast."""

    per_minute = forms.IntegerField(
        label="Runs a minute",
        required=False,
        min_value=0,
        max_value=FASTEST,
        help_text="As fast as it goes if empty.",
    )
    spread = forms.CharField(
        label="Spread over",
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="A time such as 30m or 2h, instead of runs a minute.",
    )

    def clean_spread(self) -> float | None:
        said = self.cleaned_data["spread"].replace(" ", "")
        try:
            wanted = durations.seconds(said, "spread") if said else None
        except InvalidOption:
            wanted = 0
        if wanted is None or 0 < wanted <= LONGEST_SPREAD:
            return wanted
        raise forms.ValidationError("A time such as 30m or 1h30m, of 30 days at most.")


class AskedForm(PaceForm):
    """For so many runs."""

    count = forms.IntegerField(min_value=1, max_value=MOST)

    def options(self) -> BulkOptions:
        """Raises InvalidOption."""
        rate, spread = (self.cleaned_data[name] or 0 for name in FIELDS)
        options = BulkOptions(per_minute=rate, spread=spread)
        options.check(BulkKind.CANCEL)
        return options


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a pace comes to: `rate` in words, how long all of it takes, when the last run is done."""

    count: int
    rate: str
    takes: timedelta
    ends: datetime
    is_spread: bool


def foretold(count: int, options: BulkOptions) -> Foretold | None:
    """None where nothing limits how fast it goes."""
    paced = options.paced(count)
    if not paced.per_minute or not count:
        return None
    takes = timedelta(minutes=count / paced.per_minute)
    ends = timezone.now() + timedelta(seconds=options.wait) + takes
    return Foretold(count, told(paced), takes, ends, bool(options.spread))


def told(options: BulkOptions) -> str:
    """How fast it goes at most; empty where nothing limits it."""
    rate = options.per_minute
    if not rate:
        return ""
    if rate < 1:
        return f"one every {duration_text(round(60 / rate))}"
    return f"{rate:,.1f}".removesuffix(".0") + " a minute"


@page()
def pace(request: HttpRequest) -> HttpResponse:
    """The sentence below the fields, asked for while somebody types."""
    form, found = AskedForm(request.GET), None
    if form.is_valid():
        try:
            found = foretold(form.cleaned_data["count"], form.options())
        except InvalidOption as error:
            form.add_error(error.option, str(error))
    wrong = [error for errors in form.errors.values() for error in errors]
    return render(request, "dashboard/bulk/_pace.html", {"pace": found, "wrong": wrong})

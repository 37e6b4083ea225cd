"""The form that makes a run: payload and every option. Shared by the Test and Replay pages."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from runs import durations, payloads
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle.checks import MACHINES
from runs.lifecycle.options import TriggerOptions

OPTIONS = (
    "queue", "tags", "concurrency_key", "delay", "priority", "max_attempts", "max_duration", "ttl",
    "machine", "version", "idempotency_key", "idempotency_ttl",
)  # fmt: skip


class ExactTextarea(forms.Textarea):
    """A parser swallows the first line break inside a textarea; ours adds the one to swallow."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        found = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        # the parser also turns a raw carriage return into a line feed
        text = SafeString(escape(value or "").replace("\r", "&#13;"))
        return format_html("<textarea{}>\n{}</textarea>", flatatt(found), text)


class TriggerForm(forms.Form):
    """What a person may say about a new run. Empty fields mean the task's defaults."""

    payload = forms.CharField(
        required=False,
        strip=False,
        widget=ExactTextarea(attrs={"rows": 14, "spellcheck": "false", "data-json": ""}),
        help_text="JSON. Leave empty for a run without payload.",
    )
    metadata = forms.CharField(
        required=False,
        strip=False,
        widget=ExactTextarea(attrs={"rows": 4, "spellcheck": "false", "data-json": ""}),
        help_text="A JSON object the run starts with.",
    )
    queue = forms.CharField(
        required=False, max_length=128, widget=forms.TextInput(attrs={"list": "queues"})
    )
    tags = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"list": "tags", "autocomplete": "off"}),
        help_text="At most 10, separated by commas.",
    )
    concurrency_key = forms.CharField(
        required=False, max_length=1000, help_text="Runs with the same key share the queue's limit."
    )
    delay = forms.CharField(
        required=False, max_length=100, help_text="“10m”, “1h30m” or a time like 2026-01-31T14:00."
    )
    priority = forms.FloatField(required=False, help_text="Seconds of head start in its queue.")
    max_attempts = forms.IntegerField(required=False, min_value=1, max_value=2_000_000_000)
    max_duration = forms.CharField(
        required=False,
        max_length=100,
        help_text="Executing time, like “5m”; at least 5 s, 0 for no limit.",
    )
    ttl = forms.CharField(
        label="Time to live",
        required=False,
        max_length=100,
        help_text="Expires if not started within this time.",
    )
    machine = forms.ChoiceField(
        required=False, choices=[("", "Task's default"), *((name, name) for name in MACHINES)]
    )
    version = forms.CharField(
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"list": "versions", "autocomplete": "off"}),
        help_text="Of the task's code; the run waits where nobody runs it. The current one if empty.",
    )
    idempotency_key = forms.CharField(
        required=False, max_length=2000, help_text="A second run with the same key is not made."
    )
    idempotency_ttl = forms.CharField(
        label="Key lives for", required=False, max_length=100, help_text="30 days if empty."
    )
    token = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def clean_payload(self) -> str | None:
        return _document(self.cleaned_data["payload"])

    def clean_metadata(self) -> str | None:
        return _document(self.cleaned_data["metadata"])

    def clean_tags(self) -> tuple[str, ...] | None:
        return tag_list(self.cleaned_data["tags"])

    def clean_max_duration(self) -> float | None:
        wanted = _seconds(self.cleaned_data["max_duration"], "max_duration")
        return None if wanted is None else durations.limit(wanted)

    def clean_ttl(self) -> float | None:
        return _seconds(self.cleaned_data["ttl"], "ttl")

    def clean_idempotency_ttl(self) -> float | None:
        return _seconds(self.cleaned_data["idempotency_ttl"], "idempotency_ttl")

    def clean_delay(self) -> float | datetime | None:
        return _delay(self.cleaned_data["delay"])

    @property
    def shown_options(self) -> list[forms.BoundField]:
        """What stands under Options."""
        return [self[name] for name in ("metadata", *OPTIONS) if name in self.fields]

    def options(self, **more: Any) -> TriggerOptions:
        """The options as the domain takes them."""
        values = {name: self.cleaned_data[name] for name in OPTIONS}
        given = {name: value for name, value in values.items() if value not in (None, "")}
        return TriggerOptions(metadata=self.cleaned_data["metadata"], **given, **more)

    def request_key(self) -> str:
        """Names this sending: a second press is the same, an edited form sent again is not."""
        said = repr(sorted((name, str(value)) for name, value in self.cleaned_data.items()))
        return f"form:{hashlib.sha256(said.encode(errors='replace')).hexdigest()[:32]}"

    def refuse(self, error: InvalidPayload | InvalidOption) -> None:
        """Put what the domain said where the person looks."""
        field = error.option if isinstance(error, InvalidOption) else "payload"
        self.add_error(field if field in self.fields else None, _as_validation(error))


def tag_list(text: str) -> tuple[str, ...] | None:
    """Tags separated by commas."""
    parts = (part.strip() for part in re.split(r"[,\n]", text))
    return tuple(part for part in parts if part) or None


def new_token() -> str:
    return secrets.token_urlsafe(12)


def error_place(form: TriggerForm) -> tuple[int, int] | None:
    """Line and column of the payload's first error, where the server knows them."""
    for error in form.errors.as_data().get("payload", []):
        params = error.params or {}
        if params.get("line"):
            return params["line"], params["column"] or 1
    return None


def _document(text: str) -> str | None:
    text = text.replace("\r\n", "\n")
    if not text.strip():
        return None
    try:
        return payloads.clean(text)
    except InvalidPayload as error:
        raise _as_validation(error) from error


def _seconds(text: str, option: str) -> float | None:
    if not text.strip():
        return None
    try:
        return durations.seconds(_number(text.strip()), option)
    except InvalidOption as error:
        raise _as_validation(error) from error


def _number(text: str) -> float | str:
    """Plain digits are seconds."""
    try:
        return float(text)
    except ValueError:
        return text


def _delay(text: str) -> float | datetime | None:
    try:
        moment = parse_datetime(text.strip())
        if moment is not None:
            return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
    except (ValueError, OverflowError):
        raise forms.ValidationError("There is no such time.") from None
    return _seconds(text, "delay")


def _as_validation(error: InvalidPayload | InvalidOption) -> forms.ValidationError:
    params = {"line": getattr(error, "line", None), "column": getattr(error, "column", None)}
    # the message may hold "%" of the payload, so it is no format string
    return forms.ValidationError(str(error).replace("%", "%%"), params=params)


def span(value: float | timedelta | None) -> str:
    """A duration as the form takes it."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return "" if seconds is None else f"{seconds:g}"

"""The forms of alert channels and rules."""

from typing import Any

from django import forms

from dashboard.presenters import LOOKS
from runs.lifecycle.alerts import Watched
from runs.models import AlertChannel, AlertRule, ChannelKind, RuleKind
from runs.states import FINAL


class ChannelForm(forms.Form):
    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    kind = forms.ChoiceField(choices=ChannelKind.choices)
    address = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Mail addresses with commas between them, or the webhook's address. Stored encrypted.",
    )
    secret = forms.CharField(
        label="Signing secret",
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Of signed webhooks only, at least 16 characters.",
    )
    active = forms.BooleanField(label="Sends", required=False, initial=True)

    def keep(self, row: AlertChannel) -> None:
        """It changes a channel: what is stored is not shown, and stays where nothing is typed."""
        self.fields["address"].help_text = f"Empty keeps {row.shown}."
        self.fields["secret"].help_text = "Empty keeps the one there is."


class RuleForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Heads every message.",
    )
    kind = forms.ChoiceField(label="When", choices=RuleKind.choices)
    statuses = forms.MultipleChoiceField(
        label="Statuses",
        required=False,
        choices=[(status, LOOKS[status].word) for status in LOOKS if status in FINAL],
        widget=forms.CheckboxSelectMultiple,
        help_text="Of runs that ended.",
    )
    task = forms.CharField(
        required=False,
        max_length=256,
        widget=forms.TextInput(attrs={"list": "tasks", "autocomplete": "off"}),
        help_text="Empty: all tasks.",
    )
    queue = forms.CharField(
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs={"list": "queues", "autocomplete": "off"}),
        help_text="For backlog and oldest run. Empty: any queue.",
    )
    threshold = forms.FloatField(
        required=False,
        min_value=0,
        help_text="Runs, or seconds. Queues are looked at once a minute.",
    )
    channels = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    active = forms.BooleanField(label="Watches", required=False, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = AlertChannel.objects.values_list("pk", "name")
        self.fields["channels"].choices = [(str(pk), name) for pk, name in rows]  # type: ignore[attr-defined]

    @property
    def watched(self) -> Watched:
        data = self.cleaned_data
        return Watched(
            data["kind"], data["statuses"], data["task"], data["queue"], data["threshold"]
        )


def of_channel(row: AlertChannel) -> dict[str, Any]:
    return {"name": row.name, "kind": row.kind, "active": row.active}


def of_rule(row: AlertRule) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "statuses": row.status_list,
        "task": row.task_id,
        "queue": row.queue,
        "threshold": row.threshold,
        "channels": [str(pk) for pk in row.channels.values_list("pk", flat=True)],
        "active": row.active,
    }

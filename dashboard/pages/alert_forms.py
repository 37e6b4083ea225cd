"""The forms of alert channels and rules."""

from collections.abc import Mapping
from typing import Any

from django import forms

from dashboard.pages import view_rules
from dashboard.presenters import LOOKS
from runs.lifecycle.alerts import Watched
from runs.models import AlertChannel, AlertRule, ChannelKind, RuleKind, SavedView
from runs.states import FINAL

TASKS = ("status", "new_error", "regressed", "missed")
#: Fields that count for some kinds only.
OF = {
    "statuses": ("status",),
    "task": TASKS,
    "queue": ("backlog", "oldest"),
    "threshold": ("backlog", "oldest", "failed_so", "in_view"),
    "fingerprint": ("failed_so",),
    "view": ("in_view",),
}


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
        help_text="Runs, or seconds. Of an error: failures within an hour; of a view: runs in it. There, empty tells each one.",
    )
    fingerprint = forms.CharField(
        label="Error",
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Its number, from its page: for “An error happened again”.",
    )
    view = forms.ChoiceField(
        label="Saved view",
        required=False,
        help_text="Its runs of the last day, or of its own shorter range, are looked at once a minute.",
    )
    channels = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    active = forms.BooleanField(label="Watches", required=False, initial=True)

    def __init__(
        self, *args: Any, owner: str = "", row: AlertRule | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        views = view_rules.choices(owner, row.view_id if row else None)
        self.fields["view"].choices = views  # type: ignore[attr-defined]
        rows = AlertChannel.objects.values_list("pk", "name")
        self.fields["channels"].choices = [(str(pk), name) for pk, name in rows]  # type: ignore[attr-defined]

    @property
    def lines(self) -> list[tuple[forms.BoundField, str]]:
        """The fields, each with the kinds it is for; empty is all."""
        return [(field, " ".join(OF.get(field.name, ()))) for field in self]

    @property
    def watched(self) -> Watched:
        data = self.cleaned_data
        view = SavedView.objects.filter(pk=data["view"]).first() if data["view"] else None
        return Watched(
            data["kind"],
            data["statuses"],
            data["task"],
            data["queue"],
            data["threshold"],
            fingerprint=data["fingerprint"].strip(),
            view=view.pk if view else None,
            selection=view_rules.selection(view) if view else None,
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
        "fingerprint": row.fingerprint,
        "view": str(row.view_id or ""),
        "channels": [str(pk) for pk in row.channels.values_list("pk", flat=True)],
        "active": row.active,
    }


def asked(given: Mapping[str, str]) -> dict[str, Any]:
    """What a new rule's form starts from: a link from an error, a view or a task says what about."""
    names = ("name", "kind", "task", "queue", "threshold", "fingerprint", "view")
    found: dict[str, Any] = {one: given[one][:300] for one in names if given.get(one)}
    channels = list(AlertChannel.objects.values_list("pk", flat=True)[:2])
    return found | ({"channels": [str(channels[0])]} if len(channels) == 1 else {})

"""What people decide about an error: the forms of its page."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard import permissions, undo
from dashboard.pages import error_undo
from dashboard.pages.moments import MomentField
from dashboard.pages.page import see_other
from runs.errors import InvalidOption
from runs.lifecycle import errorgroups
from runs.lifecycle.errorgroups import MAX_ASSIGNEE, MAX_NOTE, MAX_REASON, MAX_VERSION, MOST, Stale
from runs.models import ErrorGroup

LENGTHS = [
    ("", "Without end"),
    ("1", "1 hour"),
    ("24", "1 day"),
    ("168", "7 days"),
    ("720", "30 days"),
]


class ActionForm(forms.Form):
    """`seen` is what the person looked at: the group as it was."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)


def _reason() -> forms.CharField:
    return forms.CharField(
        required=False, max_length=MAX_REASON, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


class ResolveForm(ActionForm):
    version = forms.CharField(
        label="In version",
        required=False,
        max_length=MAX_VERSION,
        help_text="Empty: any failure from now on reopens it. With a version, failures of versions it was seen in before do not.",
        widget=forms.TextInput(attrs={"list": "versions", "autocomplete": "off"}),
    )
    reason = _reason()


class IgnoreForm(ActionForm):
    hours = forms.ChoiceField(label="For", choices=LENGTHS, required=False)
    until = MomentField("Until")
    rate = forms.IntegerField(
        label="Until more than so many fail within an hour",
        required=False,
        min_value=1,
        max_value=MOST,
    )
    count = forms.IntegerField(
        label="Until so many more have failed", required=False, min_value=1, max_value=MOST
    )
    reason = _reason()

    def moment(self) -> datetime | None:
        """The sooner of the two that can be said."""
        data = self.cleaned_data
        after = timezone.now() + timedelta(hours=int(data["hours"])) if data["hours"] else None
        moments = [moment for moment in (data["until"], after) if moment is not None]
        return min(moments, default=None)


class AssignForm(ActionForm):
    assignee = forms.CharField(
        label="Assigned to",
        required=False,
        max_length=MAX_ASSIGNEE,
        help_text="A user's name, or any other. Empty for nobody.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class NoteForm(ActionForm):
    text = forms.CharField(
        label="Note", max_length=MAX_NOTE, widget=forms.Textarea(attrs={"rows": 3})
    )


Change = Callable[[str, str, Any], object]


def _resolve(key: str, actor: str, form: Any) -> object:
    return errorgroups.resolve(key, actor=actor, **form.cleaned_data)


def _ignore(key: str, actor: str, form: Any) -> object:
    data = {name: form.cleaned_data[name] for name in ("rate", "count", "reason", "seen")}
    return errorgroups.ignore(key, actor=actor, until=form.moment(), **data)


def _reopen(key: str, actor: str, form: Any) -> object:
    return errorgroups.reopen(key, actor=actor, seen=form.cleaned_data["seen"])


def _assign(key: str, actor: str, form: Any) -> object:
    data = form.cleaned_data
    return errorgroups.assign(key, data["assignee"], actor=actor, seen=data["seen"])


def _take(key: str, actor: str, form: Any) -> object:
    mine = actor.partition(":")[2]
    return errorgroups.assign(key, mine, actor=actor, seen=form.cleaned_data["seen"])


def _note(key: str, actor: str, form: Any) -> object:
    return errorgroups.write_note(key, form.cleaned_data["text"], actor=actor)


#: Name of the button -> its form, the domain's verb, what is said afterwards.
ACTIONS: dict[str, tuple[type[ActionForm], Change, str]] = {
    "resolve": (ResolveForm, _resolve, "Resolved. It comes back if it fails again."),
    "ignore": (IgnoreForm, _ignore, "Ignored. It comes back when its condition is met."),
    "reopen": (ActionForm, _reopen, "Open again."),
    "assign": (AssignForm, _assign, "The assignment is saved."),
    "take": (ActionForm, _take, "It is yours."),
    "note": (NoteForm, _note, "The note is saved."),
}
#: Forms of the page, by the name the template knows them by.
FORMS = {"resolve": ResolveForm, "ignore": IgnoreForm, "assign": AssignForm, "note": NoteForm}


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that changed nothing, to be shown again."""

    status: int
    form: ActionForm | None = None
    action: str = ""


def act(request: HttpRequest, group: ErrorGroup) -> HttpResponse | Refused:
    """Do what the button says; every failure is said on the page."""
    action = request.POST.get("action", "")
    if action not in ACTIONS:
        messages.error(request, "Nothing was changed: there is no such button.")
        return Refused(400)
    form_class, change, said = ACTIONS[action]
    back = error_undo.back(action, group)
    form = form_class(request.POST, auto_id=f"{action}_%s")
    if refusal := _refusal(request, group, form, change):
        status, sentence = refusal
        messages.error(request, f"Nothing was changed. {sentence}")
        return Refused(status, form, action)
    if back is None:
        messages.success(request, said)
    else:
        undo.said(request, said, undo.to("error", group.pk), **back)
    return see_other("error", group.pk, query=request.GET.urlencode())


def forms_of(group: ErrorGroup, refused: Refused | None = None) -> dict[str, Any]:
    """The page's forms; the one that was sent has what was typed and what is wrong with it."""
    start = {"seen": group.revision, "assignee": group.assignee}
    made: dict[str, Any] = {
        f"{name}_form": form_class(initial=start, auto_id=f"{name}_%s")
        for name, form_class in FORMS.items()
    }
    if refused and refused.action in FORMS and refused.form is not None:
        # another try is about the group as it is shown now
        refused.form.data = {**dict(refused.form.data.items()), "seen": str(group.revision)}
        made[f"{refused.action}_form"] = refused.form
    return made | {"wrong": refused.action if refused else ""}


def _refusal(
    request: HttpRequest, group: ErrorGroup, form: ActionForm, change: Change
) -> tuple[int, str] | None:
    """A status and a sentence where nothing was done."""
    if not form.is_valid():
        return 422, "See the form."
    try:
        change(group.pk, permissions.actor(request.user), form)
    except Stale as error:
        return 409, str(error)
    except InvalidOption as error:
        form.add_error(error.option if error.option in form.fields else None, str(error))
        return 422, str(error)
    return None

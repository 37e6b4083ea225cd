"""Change a run before it starts: priority, queue, delay, payload (DEC-45)."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from dashboard import permissions, presenters, sight
from dashboard.pages import choices, shell
from dashboard.pages.originals import Original
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from dashboard.pages.trigger_form import TriggerForm, error_place
from runs import lifecycle
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import KEEP, Edit
from runs.models import Run

CHANGED = "Somebody or something changed the run in the meantime. Look at it, and send again."


class EditForm(TriggerForm):
    """What may be different. The fields show what holds now, but for the delay."""

    field_order = ("payload", "priority", "queue", "delay", "reason")

    reason = forms.CharField(
        required=False, max_length=500, help_text="Optional, shown in the run's history."
    )
    #: When the run was last changed before the form was shown.
    token = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() - {*self.field_order, "token"}:
            del self.fields[name]
        self.fields[
            "delay"
        ].help_text = "Empty leaves it. “10m”, “1h30m” or a time like 2026-01-31T14:00 puts the run off; 0 is at once."
        self.fields["queue"].help_text = "It keeps its place among runs of the same priority."


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def edit(request: HttpRequest, run_id: str) -> HttpResponse:
    run = find(run_id)
    original = Original(Run.objects.values_list("payload", flat=True).get(pk=run.pk))
    form = EditForm(request.POST or None, initial=_initial(run, original))
    if request.method == "POST" and presenters.can_edit(run) and form.is_valid():
        if _is_stale(form, run):
            return _show(request, run, original, _renewed(request, run, original), status=409)
        if _done(form, run, original, permissions.actor(request.user)):
            messages.success(request, "Changed the run. Its history says what.")
            return see_other("run", run.pk)
    return _show(request, run, original, form, status=422 if request.method == "POST" else 200)


def _is_stale(form: EditForm, run: Run) -> bool:
    return bool(form.cleaned_data["token"] != run.updated_at.isoformat())


def _renewed(request: HttpRequest, run: Run, original: Original) -> EditForm:
    """What was typed, now about the run as it is."""
    data = request.POST.copy()
    data["token"] = run.updated_at.isoformat()
    form = EditForm(data, initial=_initial(run, original))
    form.add_error(None, CHANGED)
    return form


def _done(form: EditForm, run: Run, original: Original, actor: str) -> bool:
    try:
        wanted = _wanted(form, run, original)
        lifecycle.edit(run.pk, wanted, actor=actor, reason=form.cleaned_data["reason"])
    except (InvalidPayload, InvalidOption) as error:
        form.refuse(error)
        return False
    return True


def _wanted(form: EditForm, run: Run, original: Original) -> Edit:
    """Only what differs from what the run has."""
    data = form.cleaned_data
    priority, queue = data["priority"], data["queue"]
    same = original.is_kept(data["payload"])
    wanted = Edit(
        priority=KEEP if priority is None or priority == run.priority else priority,
        queue=KEEP if queue in ("", run.queue) else queue,
        delay=KEEP if data["delay"] is None else data["delay"],
        payload=KEEP if same else original.given(data["payload"]),
    )
    if wanted == Edit():
        raise InvalidOption("", "Nothing differs from how the run is now.")
    return wanted


def _initial(run: Run, original: Original) -> dict[str, Any]:
    return {
        "payload": original.shown,
        "priority": f"{run.priority:.15g}",
        "queue": run.queue,
        "token": run.updated_at.isoformat(),
    }


def _show(
    request: HttpRequest, run: Run, original: Original, form: EditForm, status: int
) -> HttpResponse:
    can_edit = presenters.can_edit(run)
    context = {
        "run": run,
        "look": presenters.look(run),
        "form": form,
        "place": error_place(form),
        "can_edit": can_edit,
        "is_fixed": original.is_fixed,
        "hidden": sight.HIDDEN if original.is_hidden else "",
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        **choices.names(),
    }
    # somebody was faster: there is nothing to send any more
    status = 409 if request.method == "POST" and not can_edit else status
    return shell.render(request, "dashboard/edit.html", context, status=status)

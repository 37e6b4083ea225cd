"""Having the runs of one task wait, and go on."""

from django import forms
from django.http import HttpRequest, HttpResponse

from dashboard import permissions, undo
from dashboard.pages import banners, refusals
from dashboard.pages.page import see_other
from runs import lifecycle
from runs.models import Task


class PauseForm(forms.Form):
    reason = forms.CharField(required=False, max_length=500)


def act(request: HttpRequest, task: Task) -> HttpResponse:
    """What the button says; the message takes it back."""
    actor, form = permissions.actor(request.user), PauseForm(request.POST)
    what, address = request.POST.get("action", ""), undo.to("task", task.pk)
    if what not in ("pause", "resume") or not form.is_valid():
        said = "Nothing was changed: say pause or resume, and a reason of 500 characters at most."
        return refusals.refuse(request, 422, "Not paused", said)
    banners.forget()
    if what == "pause":
        lifecycle.pause_task(task.pk, actor=actor, reason=form.cleaned_data["reason"])
        said = f"Paused {task.pk}. Runs that execute go on; others wait."
        undo.said(request, said, address, action="resume")
    else:
        lifecycle.resume_task(task.pk, actor=actor)
        undo.said(
            request, f"Resumed {task.pk}.", address, action="pause", reason=task.paused_reason
        )
    return see_other("task", task.pk)

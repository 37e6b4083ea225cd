"""Queues: how full, how limited, and the verbs that change it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import pluralize
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions, undo
from dashboard.pages import banners, live, queue_detail, queue_rows, queue_undo, shell
from dashboard.pages.moments import FutureField
from dashboard.pages.page import page, see_other
from runs import lifecycle
from runs.errors import InvalidOption
from runs.models import Queue
from runs.reads.deadline import TooSlow, deadline
from runs.reads.queues import Load, loads

PATIENCE = 1.0


class ReasonForm(forms.Form):
    """Why; shown to everybody who wonders later."""

    reason = forms.CharField(required=False, max_length=500)


class OverrideForm(ReasonForm):
    """Limits that win over those in code; what is left empty stays as in code."""

    field_order = ("limit", "total", "rate", "expires_at", "reason")

    limit = forms.IntegerField(
        label="Limit of each key", min_value=0, max_value=2_000_000_000, required=False
    )
    total = forms.IntegerField(
        label="Limit of all keys", min_value=0, max_value=2_000_000_000, required=False
    )
    rate = forms.CharField(
        label="Rate of each key",
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"placeholder": "100/1m, or 100/1m burst 10"}),
    )
    expires_at = FutureField("Until")


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def index(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _all_at_once(request)
    return shell.render_live(
        request, "dashboard/queues/index.html", "dashboard/queues/_table.html", _all(request)
    )


def _all_at_once(request: HttpRequest) -> HttpResponse:
    """Pause every queue, or let those go on that were paused so."""
    actor, form = permissions.actor(request.user), ReasonForm(request.POST)
    if request.POST.get("action") == "resume" and form.is_valid():
        count = lifecycle.resume_all(actor=actor)
        messages.success(request, f"Resumed {count} queue{pluralize(count)}.")
    elif request.POST.get("action") == "pause" and form.is_valid():
        count = lifecycle.pause_all(actor=actor, reason=form.cleaned_data["reason"])
        said = f"Paused {count} queue{pluralize(count)}. Runs that execute go on."
        undo.said(request, said, undo.to("queues"), action="resume")
    else:
        messages.error(request, "Nothing was changed: say pause or resume, and a shorter reason.")
    return see_other("queues")


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def detail(request: HttpRequest, name: str) -> HttpResponse:
    queue = _find(name)
    if request.method != "POST":
        return _show(request, queue, OverrideForm(initial=_overridden(queue)))
    verb = _VERBS.get(request.POST.get("action", ""))
    form = verb.form(request.POST) if verb else OverrideForm()
    if verb is None or not form.is_valid() or not _done(request, queue, verb, form):
        shown = form if isinstance(form, OverrideForm) else OverrideForm()
        return _show(request, queue, shown, status=422)
    return see_other("queue", queue.name)


class Verb:
    """What a button does: its form, the domain's verb, what is said afterwards."""

    def __init__(
        self,
        form: type[forms.Form],
        call: Callable[[str, str, dict[str, Any]], object],
        said: str,
    ) -> None:
        self.form, self.call, self.said = form, call, said


_VERBS = {
    "pause": Verb(
        ReasonForm,
        lambda name, actor, data: lifecycle.pause(name, actor=actor, reason=data["reason"]),
        "Paused {}. Runs that execute go on; others wait.",
    ),
    "resume": Verb(
        forms.Form,
        lambda name, actor, data: lifecycle.resume(name, actor=actor),
        "Resumed {}.",
    ),
    "override": Verb(
        OverrideForm,
        lambda name, actor, data: lifecycle.override_limits(
            name,
            lifecycle.Limits(data["limit"], data["total"], data["rate"]),
            actor=actor,
            reason=data["reason"],
            expires_at=data["expires_at"],
        ),
        "Changed the limits of {}.",
    ),
    "reset": Verb(
        forms.Form,
        lambda name, actor, data: lifecycle.reset_limit(name, actor=actor),
        "{} has its own limits again.",
    ),
}


def _overridden(queue: Queue) -> dict[str, Any]:
    """What the form starts from: the override, or the code's limit of each key."""
    if queue.is_overridden:
        limits = queue.override_limit, queue.override_total, queue.override_rate
        return dict(zip(("limit", "total", "rate"), limits, strict=True))
    return {"limit": queue.limit}


def _done(request: HttpRequest, queue: Queue, verb: Verb, form: forms.Form) -> bool:
    back = queue_undo.back(request.POST.get("action", ""), queue)
    try:
        verb.call(queue.name, permissions.actor(request.user), form.cleaned_data)
    except InvalidOption as error:
        form.add_error(error.option if error.option in form.fields else None, str(error))
        messages.error(request, str(error))
        return False
    banners.forget()
    said = verb.said.format(queue.name)
    if back is None:
        messages.success(request, said)
    else:
        undo.said(request, said, undo.to("queue", queue.name), **back)
    return True


def _find(name: str) -> Queue:
    queue = Queue.objects.filter(name=name.replace("\x00", "")).first()
    if queue is None:
        raise Http404(f"There is no queue called “{name}”.")
    return queue


def _all(request: HttpRequest) -> dict[str, Any]:
    queues, now = list(Queue.objects.all()), timezone.now()
    found: dict[int, Load] | None = None
    try:
        with deadline(PATIENCE):
            found = loads()
            rows = queue_rows.rows(queues, found, now)
    except TooSlow:
        rows = [queue_rows.bare(queue) for queue in queues]
    return {
        "rows": rows,
        "is_counted": found is not None,
        "tiles": queue_rows.tiles(rows),
        "all_paused": next((row for row in queues if _is_held(row)), None),
        "open_count": sum(not queue.paused for queue in queues),
        "coming": sum(row.flow.came for row in rows),
        "executing": sum(row.load.running for row in rows),
        "token": live.token([row.facts(now) for row in rows]),
        "now": now,
        "refusal": permissions.refusal(request.user, permissions.ADMINISTER),
    }


def _is_held(queue: Queue) -> bool:
    """Whether it is paused because all are."""
    return queue.paused and queue.paused_at == queue.all_paused_at


def _show(
    request: HttpRequest, queue: Queue, form: OverrideForm, status: int = 200
) -> HttpResponse:
    given = {name: request.GET[name] for name in ("limit", "total") if request.GET.get(name)}
    context = queue_detail.context(request, queue)
    context["what_if"] = queue_detail.what_if(queue, given, context)
    if request.headers.get("HX-Target") == "what-if":
        return render(request, "dashboard/queues/_what_if.html", context)
    if given and not form.is_bound:
        form = OverrideForm(initial=_overridden(queue) | given)
    context |= {
        "form": form,
        "refusal": permissions.refusal(request.user, permissions.ADMINISTER),
    }
    if status == 200:
        return shell.render_live(
            request, "dashboard/queues/detail.html", "dashboard/queues/_board.html", context
        )
    return shell.render(request, "dashboard/queues/detail.html", context, status=status)

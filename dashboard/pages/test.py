"""Trigger a task by hand."""

import json
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions, presenters, webhooks
from dashboard.pages import choices, inferred, schema_help, shell
from dashboard.pages.originals import Original
from dashboard.pages.page import page, see_other
from dashboard.pages.trigger_form import TriggerForm, error_place, new_token
from dashboard.pages.triggered import other_than_usual, overlap
from runs import lifecycle
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import Triggered, audit
from runs.lifecycle.requests import once
from runs.models import Run, Source, Task
from runs.reads.sessions import alive
from runs.webhooks import Webhook

RECENT = 10
OFFERED = 200
#: Whose way of signing the presets are.
SIGNERS = {
    "github": "GitHub",
    "stripe": "Stripe",
    "slack": "Slack",
    "standard": "Standard Webhooks",
}


@page()
def pick(request: HttpRequest) -> HttpResponse:
    """Choose a task; a form with a name sends here too, so the page works without JavaScript."""
    if wanted := request.GET.get("task", "").replace("\x00", "").strip():
        return redirect("dashboard:test_task", task_id=wanted)
    return shell.render(
        request, "dashboard/test/pick.html", {"tasks": Task.objects.all()[:OFFERED]}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def test(request: HttpRequest, task_id: str) -> HttpResponse:
    task = _find(task_id)
    recent = list(Run.objects.light().filter(task_id=task.id).order_by("-id")[:RECENT])
    origin = _origin(request, task)
    form = TriggerForm(request.POST or None, initial=_initial(origin, task, recent))
    if request.method == "POST" and form.is_valid():
        made = _trigger(task, origin, form, permissions.actor(request.user))
        if made is not None:
            return _sent(request, task, made)
    status = 422 if request.method == "POST" else 200
    context = _context(request, task, recent, form)
    return shell.render(request, "dashboard/test/task.html", context, status=status)


def _find(task_id: str) -> Task:
    task = Task.objects.filter(id=task_id.replace("\x00", "")).first()
    if task is None:
        raise Http404(f"No worker has registered a task called “{task_id}”.")
    return task


def _origin(request: HttpRequest, task: Task) -> Run | None:
    """The run that `from=` names."""
    wanted = request.GET.get("from", "").replace("\x00", "")
    return Run.objects.filter(task_id=task.id, id=wanted).first() if wanted else None


def _trigger(task: Task, origin: Run | None, form: TriggerForm, actor: str) -> Triggered | None:
    try:
        return once(task.id, form.request_key(), lambda: _make(task, origin, form, actor))
    except (InvalidPayload, InvalidOption) as error:
        form.refuse(error)
        return None


def _make(task: Task, origin: Run | None, form: TriggerForm, actor: str) -> Triggered:
    known = Original(origin.payload if origin else None)
    seed = Original(origin.seed_metadata if origin else None, "metadata")
    payload = known.given(form.cleaned_data["payload"])
    options = replace(
        form.options(is_test=True), metadata=seed.given(form.cleaned_data["metadata"])
    )
    with transaction.atomic():
        made = lifecycle.trigger(task.id, payload, options, source=Source.TEST, actor=actor)
        audit.record(actor, "run.test", made.run_id, task=task.id)
    return made


def _sent(request: HttpRequest, task: Task, made: Triggered) -> HttpResponse:
    messages.success(request, other_than_usual(made) or f"Triggered {task.id}.")
    return see_other("run", made.run_id)


def _initial(run: Run | None, task: Task, recent: list[Run]) -> dict[str, Any]:
    """From the run that was named, else the newest run, else the schema's example."""
    initial: dict[str, Any] = {"token": new_token()}
    if run is None:
        return initial | {"payload": _last_payload(recent) or schema_help.example(task.schema)}
    return initial | {
        "payload": Original(run.payload).shown,
        "metadata": Original(run.seed_metadata, "metadata").shown,
        "tags": ", ".join(run.tag_list),
        "queue": run.queue if run.queue != task.queue else "",
        "concurrency_key": run.concurrency_key or "",
    }


def _last_payload(recent: list[Run]) -> str:
    newest = Run.objects.filter(id__in=[run.id for run in recent[:1]])
    return Original(newest.values_list("payload", flat=True).first()).shown


def _context(
    request: HttpRequest, task: Task, recent: list[Run], form: TriggerForm
) -> dict[str, Any]:
    workers = list(alive(timezone.now()))
    seen, seen_in = ("", 0) if task.schema else inferred.schema_of(run.id for run in recent)
    return {
        "task": task,
        "form": form,
        "place": error_place(form),
        "recent": [(run, presenters.look(run)) for run in recent],
        "fields": schema_help.fields(task.schema or seen),
        "seen_in": seen_in,
        "webhook": _webhook(task),
        "key": json.loads(task.config).get("concurrency_key", ""),
        "has_computed_key": json.loads(task.config).get("computed_key", False),
        "workers": workers,
        "slots": sum(worker.slots for worker in workers),
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        "overlap": overlap(task),
        **choices.names(),
    }


def _webhook(task: Task) -> dict[str, Any] | None:
    """Where and how another service triggers the task."""
    if not task.webhook:
        return None
    rule = Webhook.from_json(task.webhook)
    lacking = webhooks.missing(rule)
    return {
        "rule": rule,
        "address": webhooks.address(rule),
        "signer": SIGNERS.get(rule.scheme, ""),
        "secrets": [(name, name not in lacking) for name in rule.secrets],
        "is_open": len(lacking) < len(rule.secrets),
    }

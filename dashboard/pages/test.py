"""Trigger a task by hand."""

import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import permissions, presenters, webhooks
from dashboard.pages import choices, inferred, payload_editor, schema_form, schema_help, shell
from dashboard.pages.originals import Original
from dashboard.pages.page import page, see_other
from dashboard.pages.payload_editor import FORM, Editor
from dashboard.pages.trial_form import EVERY, NOW, TrialForm
from dashboard.pages.trigger_form import error_place, new_token
from dashboard.pages.triggered import other_than_usual, overlap
from runs import lifecycle
from runs.errors import InvalidOption, InvalidPayload
from runs.ids import new_id
from runs.lifecycle import Triggered, audit, batches, templates
from runs.lifecycle.requests import once
from runs.models import PayloadTemplate, Run, Source, Task
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
        request, "dashboard/test/pick.html", {"tasks": Task.objects.authored()[:OFFERED]}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def test(request: HttpRequest, task_id: str) -> HttpResponse:
    task = _find(task_id)
    recent = list(Run.objects.light().filter(task_id=task.id).order_by("-id")[:RECENT])
    origin = _origin(request, task)
    if request.method != "POST":
        form = TrialForm(initial=_initial(origin, task, recent))
        editor = payload_editor.shown(task.schema, _text(form), request.GET.get("editor", FORM))
        return _show(request, task, recent, form, editor)
    data, wrong = payload_editor.taken(task.schema, request.POST)
    sent = Sent(task, origin, TrialForm(data), data)
    asked = data.get("action", "")
    if asked in payload_editor.WAYS and not wrong:
        form = TrialForm(initial=data.dict())
        editor = payload_editor.shown(task.schema, _text(form), asked)
        return _show(request, task, recent, form, editor)
    if not wrong and sent.form.is_valid():
        answer = _done(request, sent, asked)
        if answer is not None:
            return answer
    editor = payload_editor.shown(task.schema, data.get("payload", ""), data.get("editor", ""))
    editor.problems = [*wrong.values(), *sent.problems]
    editor.inputs = schema_form.typed(editor.inputs, payload_editor.texts(data), wrong)
    return _show(request, task, recent, sent.form, editor, status=422)


@dataclass(slots=True)
class Sent:
    """A form that was sent."""

    task: Task
    #: What the form began with, whose masked values it may stand for.
    origin: Run | PayloadTemplate | None
    form: TrialForm
    data: QueryDict
    #: What is wrong beside its fields.
    problems: list[str] = field(default_factory=list)

    @property
    def documents(self) -> tuple[str | None, str | None]:
        """Payload and metadata, masked values put back. Raises InvalidOption."""
        known = originals(self.origin)
        given = self.form.cleaned_data
        return known[0].given(given["payload"]), known[1].given(given["metadata"])


def originals(origin: Run | PayloadTemplate | None) -> tuple[Original, Original]:
    """Payload and metadata the form begins with."""
    if origin is None:
        return Original(None), Original(None, "metadata")
    seed = origin.seed_metadata if isinstance(origin, Run) else origin.metadata
    return Original(origin.payload or None), Original(seed or None, "metadata")


def _done(request: HttpRequest, sent: Sent, asked: str) -> HttpResponse | None:
    """Do what the form asks for; None where that was refused, which the form then says."""
    actor, form = permissions.actor(request.user), sent.form
    try:
        if asked == "keep":
            return _kept(request, sent, actor)
        if form.cleaned_data["when"] == EVERY:
            said = {"task": sent.task.id, "cron": form.cleaned_data["cron"]}
            return see_other("schedule_new", query=urlencode(said))
        if sent.data.get("editor") == payload_editor.LINES:
            return _many(request, sent, actor)
        made = once(sent.task.id, form.request_key(), lambda: _make(sent, actor))
    except (InvalidPayload, InvalidOption) as error:
        form.refuse(error)
        return None
    messages.success(request, other_than_usual(made) or f"Triggered {sent.task.id}.")
    return see_other("run", made.run_id)


def _make(sent: Sent, actor: str) -> Triggered:
    payload, metadata = sent.documents
    options = replace(sent.form.options(is_test=True), metadata=metadata)
    with transaction.atomic():
        made = lifecycle.trigger(sent.task.id, payload, options, source=Source.TEST, actor=actor)
        audit.record(actor, "run.test", made.run_id, task=sent.task.id)
    return made


def _many(request: HttpRequest, sent: Sent, actor: str) -> HttpResponse | None:
    """A run for each line, as one batch."""
    task, form = sent.task, sent.form
    options = replace(form.options(is_test=True), metadata=sent.documents[1])
    lines = form.cleaned_data["lines"]
    items, sent.problems = payload_editor.items(task.id, task.schema, lines, options)
    if sent.problems:
        return None
    key = f"{task.id}:{form.request_key()}"
    with transaction.atomic():
        made = batches.trigger(items, new_id("batch"), key=key, source=Source.TEST, actor=actor)
        if not made.is_cached:
            audit.record(actor, "batch.test", made.batch_id, task=task.id, runs=len(made.runs))
    count = len(made.runs)
    messages.success(
        request,
        "This form was sent before; this is the batch it made."
        if made.is_cached
        else f"Triggered {task.id} {count} time{'s' if count != 1 else ''}.",
    )
    return see_other("batch", made.batch_id)


def _kept(request: HttpRequest, sent: Sent, actor: str) -> HttpResponse:
    name = sent.data.get("template_name", "").replace("\x00", "")
    payload, metadata = sent.documents
    made = templates.keep(sent.task.id, name, payload, metadata, actor=actor)
    messages.success(request, f"Kept as template “{made.name}”.")
    return see_other("test_task", sent.task.id, query=urlencode({"template": made.pk}))


@require_POST
@page(permissions.OPERATE)
def drop_template(request: HttpRequest, number: int) -> HttpResponse:
    gone = templates.delete(number, actor=permissions.actor(request.user))
    messages.success(request, f"Deleted template “{gone.name}”.")
    return see_other("test_task", gone.task_id)


def _find(task_id: str) -> Task:
    task = Task.objects.filter(id=task_id.replace("\x00", "")).first()
    if task is None:
        raise Http404(f"No worker has registered a task called “{task_id}”.")
    return task


def _origin(request: HttpRequest, task: Task) -> Run | PayloadTemplate | None:
    """The run that `from=` names, or the template that `template=` does."""
    wanted = request.GET.get("from", "").replace("\x00", "")
    if wanted:
        return Run.objects.filter(task_id=task.id, id=wanted).first()
    number = request.GET.get("template", "")
    if number.isdecimal() and len(number) < 19:
        return PayloadTemplate.objects.filter(task_id=task.id, pk=number).first()
    return None


def _initial(origin: Run | PayloadTemplate | None, task: Task, recent: list[Run]) -> dict[str, Any]:
    """From what was named, else the newest run, else the schema's example."""
    initial: dict[str, Any] = {"token": new_token(), "when": NOW}
    if origin is None:
        return initial | {"payload": _last_payload(recent) or schema_help.example(task.schema)}
    payload, metadata = originals(origin)
    initial |= {"payload": payload.shown, "metadata": metadata.shown}
    if isinstance(origin, PayloadTemplate):
        return initial
    return initial | {
        "tags": ", ".join(origin.tag_list),
        "queue": origin.queue if origin.queue != task.queue else "",
        "concurrency_key": origin.concurrency_key or "",
    }


def _text(form: TrialForm) -> str:
    return str(form.initial.get("payload", ""))


def _last_payload(recent: list[Run]) -> str:
    newest = Run.objects.filter(id__in=[run.id for run in recent[:1]])
    return Original(newest.values_list("payload", flat=True).first()).shown


def _show(
    request: HttpRequest,
    task: Task,
    recent: list[Run],
    form: TrialForm,
    editor: Editor,
    status: int = 200,
) -> HttpResponse:
    workers = list(alive(timezone.now()))
    seen, seen_in = ("", 0) if task.schema else inferred.schema_of(run.id for run in recent)
    config = json.loads(task.config)
    context = {
        "task": task,
        "form": form,
        "editor": editor,
        "place": error_place(form),
        "recent": [(run, presenters.look(run)) for run in recent],
        "templates": PayloadTemplate.objects.filter(task_id=task.id).defer("payload", "metadata"),
        "fields": schema_help.fields(task.schema or seen),
        "seen_in": seen_in,
        "webhook": _webhook(task),
        "key": config.get("concurrency_key", ""),
        "has_computed_key": config.get("computed_key", False),
        "workers": workers,
        "slots": sum(worker.slots for worker in workers),
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        "overlap": overlap(task),
        **choices.names(),
    }
    return shell.render(request, "dashboard/test/task.html", context, status=status)


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

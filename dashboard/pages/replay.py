"""Run again, as it was or edited."""

import dataclasses
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from dashboard import permissions, presenters, undo
from dashboard.pages import choices, documents, shell
from dashboard.pages.originals import Original
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from dashboard.pages.trigger_form import TriggerForm, error_place, new_token
from dashboard.pages.triggered import other_than_usual
from runs import lifecycle
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import KEEP, Triggered
from runs.lifecycle.requests import once
from runs.models import Queue, Run


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def replay(request: HttpRequest, run_id: str) -> HttpResponse:
    run = find(run_id)
    payload, metadata = Run.objects.values_list("payload", "seed_metadata").get(pk=run.pk)
    original, seed = Original(payload), Original(metadata, "metadata")
    form = TriggerForm(request.POST or None, initial=_initial(run, original, seed))
    if request.method == "POST" and form.is_valid():
        made = _replay(run, original, seed, form, permissions.actor(request.user))
        if made is not None:
            return _sent(request, run, made)
    status = 422 if request.method == "POST" else 200
    return shell.render(
        request, "dashboard/replay.html", _context(request, run, original, form), status=status
    )


def _replay(
    run: Run, original: Original, seed: Original, form: TriggerForm, actor: str
) -> Triggered | None:
    sent = form.cleaned_data
    try:
        payload = KEEP if original.is_kept(sent["payload"]) else original.given(sent["payload"])
        # cleared tags are no tags; left out they would be the original's
        options = dataclasses.replace(
            form.options(), tags=sent["tags"] or (), metadata=seed.given(sent["metadata"])
        )
        return once(
            run.pk,
            form.request_key(),
            lambda: lifecycle.replay(run.pk, actor=actor, payload=payload, options=options),
        )
    except (InvalidPayload, InvalidOption) as error:
        form.refuse(error)
        return None


def _sent(request: HttpRequest, run: Run, made: Triggered) -> HttpResponse:
    short = presenters.short_id(run.id)
    if unusual := other_than_usual(made):
        messages.success(request, unusual)
    else:
        fields: dict[str, Any] = {"do": "now", "reason": "The replay was undone."}
        said = f"Replayed {short} as this run."
        undo.said(request, said, undo.to("cancel", made.run_id), **fields)
    return see_other("run", made.run_id)


def _initial(run: Run, original: Original, seed: Original) -> dict[str, Any]:
    return {
        "payload": original.shown,
        "queue": run.queue if Queue.objects.filter(name=run.queue).exists() else "",
        "tags": ", ".join(run.tag_list),
        "concurrency_key": run.concurrency_key or "",
        "machine": run.machine,
        "metadata": seed.shown,
        "token": new_token(),
    }


def _context(
    request: HttpRequest, run: Run, original: Original, form: TriggerForm
) -> dict[str, Any]:
    return {
        "run": run,
        "look": presenters.look(run),
        "form": form,
        "place": error_place(form),
        "original": None if original.text is None else documents.show(original.text, "payload"),
        "is_fixed": original.is_fixed,
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        **choices.names(),
    }

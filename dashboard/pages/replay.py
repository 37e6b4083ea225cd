"""Run again, as it was or edited."""

import dataclasses
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from dashboard import permissions, presenters
from dashboard.pages import choices, documents, shell
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from dashboard.pages.trigger_form import TriggerForm, error_place, new_token
from dashboard.pages.triggered import other_than_usual
from runs import lifecycle
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import KEEP, Triggered
from runs.lifecycle.requests import once
from runs.models import Queue, Run

#: Above this a payload is replayed as it is: no browser edits it well.
EDITABLE = 1_000_000


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def replay(request: HttpRequest, run_id: str) -> HttpResponse:
    run = find(run_id)
    original = Run.objects.values_list("payload", flat=True).get(pk=run.pk)
    form = TriggerForm(request.POST or None, initial=_initial(run, original))
    if request.method == "POST" and form.is_valid():
        made = _replay(run, original, form, permissions.actor(request.user))
        if made is not None:
            return _sent(request, run, made)
    status = 422 if request.method == "POST" else 200
    return shell.render(
        request, "dashboard/replay.html", _context(request, run, original, form), status=status
    )


def _replay(run: Run, original: str | None, form: TriggerForm, actor: str) -> Triggered | None:
    keep = form.is_same_payload(original) or is_fixed(original)
    payload = KEEP if keep else form.cleaned_data["payload"]
    # cleared tags are no tags; left out they would be the original's
    options = dataclasses.replace(form.options(), tags=form.cleaned_data["tags"] or ())
    try:
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
    messages.success(request, other_than_usual(made) or f"Replayed {short} as this run.")
    return see_other("run", made.run_id)


def _initial(run: Run, original: str | None) -> dict[str, Any]:
    return {
        "payload": "" if original is None or is_fixed(original) else original,
        "queue": run.queue if Queue.objects.filter(name=run.queue).exists() else "",
        "tags": ", ".join(run.tag_list),
        "concurrency_key": run.concurrency_key or "",
        "machine": run.machine,
        "metadata": Run.objects.values_list("seed_metadata", flat=True).get(pk=run.pk) or "",
        "token": new_token(),
    }


def is_fixed(original: str | None) -> bool:
    return original is not None and len(original) > EDITABLE


def _context(
    request: HttpRequest, run: Run, original: str | None, form: TriggerForm
) -> dict[str, Any]:
    return {
        "run": run,
        "look": presenters.look(run),
        "form": form,
        "place": error_place(form),
        "original": documents.show(original) if original is not None else None,
        "is_fixed": is_fixed(original),
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        **choices.names(),
    }

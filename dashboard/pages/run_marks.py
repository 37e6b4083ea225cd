"""What people add to a run from its page: tags, values of its metadata, messages to its inputs."""

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from dashboard import permissions
from dashboard.pages import run_page
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from runs import lifecycle, payloads
from runs.errors import InvalidOption, InvalidPayload, PayloadTooLarge, RunClosed
from runs.lifecycle import streams

REFUSED = (InvalidOption, InvalidPayload, PayloadTooLarge, RunClosed)


@require_POST
@page(act=permissions.OPERATE)
def tag(request: HttpRequest, run_id: str) -> HttpResponse:
    """Add tags, separated by commas."""
    run, text = find(run_id), _typed(request, "tags")
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    try:
        if not wanted:
            raise InvalidOption("tags", "Name at least one tag.")
        lifecycle.add_tags(run.pk, wanted, actor=permissions.actor(request.user))
    except REFUSED as error:
        return _refused(request, run.pk, "detail", error, typed_tags=text)
    messages.success(request, f"Tagged with {', '.join(wanted)}.")
    return see_other("run", run.pk, query="tab=detail")


@require_POST
@page(act=permissions.OPERATE)
def note(request: HttpRequest, run_id: str) -> HttpResponse:
    """Set or remove one value of the metadata; what the run itself changes meanwhile stays."""
    run, key, text = find(run_id), _typed(request, "key").strip(), _typed(request, "value")
    try:
        operation = _operation(key, text, is_removed="remove" in request.POST)
        actor = permissions.actor(request.user)
        lifecycle.update_metadata(run.pk, [operation], actor=actor)
    except REFUSED as error:
        typed = {"typed_key": key, "typed_value": text}
        return _refused(request, run.pk, "detail", error, **typed)
    messages.success(request, f"Changed “{key}” in the metadata.")
    return see_other("run", run.pk, query="tab=payload")


@require_POST
@page(act=permissions.OPERATE)
def send(request: HttpRequest, run_id: str) -> HttpResponse:
    """Send a message to an input of an open run."""
    run, key, text = find(run_id), _typed(request, "key").strip(), _typed(request, "message")
    try:
        message = payloads.clean(text)
        number = streams.send(run.pk, key, message, by=permissions.actor(request.user))
    except REFUSED as error:
        return _refused(request, run.pk, "streams", error, typed_key=key, typed_message=text)
    messages.success(request, f"Sent as message {number} of “{key}”.")
    query = urlencode({"tab": "streams", "stream": key, "input": "1"})
    return see_other("run", run.pk, query=query)


def _typed(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, "")).replace("\x00", "")


def _operation(key: str, text: str, *, is_removed: bool) -> dict[str, Any]:
    if is_removed:
        return {"type": "delete", "key": key}
    return {"type": "set", "key": key, "value": json.loads(payloads.clean(text))}


def _refused(
    request: HttpRequest, run_id: str, tab: str, error: Exception, **typed: str
) -> HttpResponse:
    messages.error(request, f"Nothing was changed: {error}")
    return run_page.again(request, run_id, tab, **typed)

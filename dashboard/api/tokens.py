"""Wait tokens: create, list, retrieve, complete."""

import json
import re
from typing import Any

from pydantic import Field

from dashboard import sight
from dashboard.api import (
    access,
    answers,
    bodies,
    grants,
    objects,
    packets,
    pagination,
    queries,
    schemas,
    shapes,
    telling,
)
from dashboard.api.endpoint import ApiRequest, endpoint, methods
from dashboard.api.errors import ApiError
from dashboard.openapi.operations import Media
from runs import conf, durations, payloads
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import tokens
from runs.lifecycle.options import MAX_TAGS
from runs.models import Waitpoint
from runs.reads.windows import floor_id
from runs.states import TokenStatus

TOKEN_ID = re.compile(r"waitpoint_[0-9a-z]{1,26}", re.ASCII)
STATUS, KEY, TAGS = "filter[status]", "filter[idempotencyKey]", "filter[tags]"
PARAMETERS = {STATUS, KEY, TAGS, *queries.TIMES, "page[size]", "page[after]", "page[before]"}
#: What the reference's clients know as completed: whether well, `outputIsError` says.
ENDED = (TokenStatus.COMPLETED, TokenStatus.FAILED)
TIMED_OUT = json.dumps(
    {"code": "TRIGGER_WAITPOINT_TIMEOUT", "message": "Nobody completed the token in time."}
)


class Failure(schemas.Body):
    """What went wrong, in words the waiting run gets."""

    message: schemas.Text = Field(min_length=1, max_length=tokens.LONGEST_MESSAGE)


@endpoint("POST", body=schemas.NewToken | None, answers=telling.MadeToken)
def create(request: ApiRequest) -> dict[str, Any]:
    """Make a token, or find the one its key made."""
    asked = schemas.NewToken.read(bodies.values(request))
    tags = asked.tags or []
    if len(set(tags)) > MAX_TAGS:
        raise ApiError(422, f"A token has at most {MAX_TAGS} tags; got {len(set(tags))}.")
    ttl = asked.idempotency_key_ttl
    token, is_cached = tokens.create(
        timeout=schemas.moment_or_seconds(asked.timeout, "timeout"),
        key=asked.idempotency_key,
        key_ttl=None if ttl is None else durations.seconds(ttl, "idempotencyKeyTTL"),
        tags=tags,
    )
    grants.for_waitpoint(request, token.pk)
    return {"id": token.pk, "isCached": is_cached, **_addresses(token)}


@endpoint("GET", query=shapes.TokenFilters, answers=telling.TokenPage)
def index(request: ApiRequest) -> dict[str, Any]:
    """A page of tokens, newest first, without their output."""
    asked = queries.values(request.GET, PARAMETERS)
    page = pagination.page(asked, TOKEN_ID)
    found = Waitpoint.objects.tagged(_words(asked.get(TAGS, "")))
    if STATUS in asked:
        found = found.filter(status__in=_statuses(asked[STATUS]))
    if KEY in asked:
        found = found.filter(idempotency_key=asked[KEY])
    start, end = queries.window(asked)
    if start is not None:
        found = found.filter(id__gte=floor_id("waitpoint", start))
    if end is not None:
        found = found.filter(id__lt=floor_id("waitpoint", end))
    return pagination.paged(found, page, _listed)


collection = methods(GET=index, POST=create)


@endpoint("GET", answers=telling.Token)
def retrieve(request: ApiRequest, token_id: str) -> dict[str, Any]:
    """One token with what completed it."""
    token = tokens.find(_shaped(token_id))
    if token.status == TokenStatus.TIMED_OUT:
        ended = {"output": TIMED_OUT, "outputType": "application/json", "outputIsError": True}
    elif token.output is not None and not sight.is_hidden():
        shown = sight.document(token.output, "output")
        is_error = token.status == TokenStatus.FAILED
        ended = {"output": shown, "outputType": "application/json", "outputIsError": is_error}
    else:
        ended = {}
    return {**_listed(token), **ended}


@endpoint("POST", public=access.complete_token, body=shapes.Data | None, answers=answers.Success)
def complete(request: ApiRequest, token_id: str) -> dict[str, Any]:
    """Complete a token; one that has ended stays as it is, and that is no error."""
    body = bodies.read(request)
    for name in body.keys() - {"data"}:
        raise ApiError(400, f"“{name[:60]}” is not a member of this body; see data.")
    tokens.complete(_shaped(token_id), packets.text(body.get("data"), None), by=request.actor)
    return {"success": True}


@endpoint("POST", body=Failure, answers=answers.Success)
def fail(request: ApiRequest, token_id: str) -> dict[str, Any]:
    """End a token with an error; one that has ended stays as it is, and that is no error."""
    asked = Failure.read(bodies.values(request, required=True))
    tokens.fail(_shaped(token_id), asked.message, by=request.actor)
    return {"success": True}


@endpoint(
    "POST",
    keyed=False,
    body=Media("application/json"),
    answers={
        200: answers.Success,
        401: "The address is not what was given out.",
        411: "The length of the body is not stated.",
    },
)
def callback(request: ApiRequest, token_id: str, signature: str) -> dict[str, Any]:
    """Complete a token by the address that was given out with it; the whole body is the output.

    What is not JSON counts as an empty object. Needs no key: the address is the proof.
    """
    limit = int(conf.get("PAYLOAD_LIMIT"))
    if not request.headers.get("content-length", "").isdecimal():
        raise ApiError(411, "Content-Length header is required.")
    if "\x00" in token_id or not tokens.is_signed(token_id, signature):
        raise ApiError(401, "Invalid URL, hash doesn't match", retry=False)
    raw = bodies.raw_body(request, limit)
    try:
        data = payloads.clean(raw, limit=limit)
    except InvalidPayload:
        data = "{}"
    tokens.complete(token_id, data, by="url")
    return {"success": True}


def _listed(token: Waitpoint) -> dict[str, Any]:
    return {
        "id": token.pk,
        **_addresses(token),
        "status": str(TokenStatus.COMPLETED if token.status in ENDED else token.status),
        "tags": token.tag_list,
        "createdAt": objects.time(token.created_at),
        **objects.present(
            timeoutAt=objects.time(token.timeout_at),
            completedAt=objects.time(token.completed_at),
            idempotencyKey=token.idempotency_key,
            idempotencyKeyExpiresAt=objects.time(token.idempotency_expires_at),
        ),
    }


def _addresses(token: Waitpoint) -> dict[str, str]:
    """Where a program completes it without a key, and where people do."""
    return {"url": tokens.callback_url(token.pk), "pageUrl": tokens.url(token.pk)}


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _statuses(text: str) -> list[str]:
    words = _words(text)
    for word in words:
        if word not in TokenStatus.values:
            known = ", ".join(TokenStatus.values)
            raise InvalidOption("status", f"{STATUS} is one of {known}; got {word:.40}.")
    return [*words, *(ENDED if TokenStatus.COMPLETED in words else ())]


def _shaped(token_id: str) -> str:
    """`token_id` if a token could have it, so nothing else reaches the database; else a 404."""
    if TOKEN_ID.fullmatch(token_id) is None:
        form = "a wait token's id is waitpoint_ and 26 letters and digits"
        raise ApiError(404, f"Not found: {form}.", retry=False)
    return token_id

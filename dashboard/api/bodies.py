"""Request bodies: read within the limit, guarded, and taken apart without losing the exact text."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from dashboard.api.errors import ApiError
from dashboard.bodylimit import body_limit
from runs import payloads
from runs.errors import InvalidPayload

_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a JSON object: its value, and its text as it was sent."""

    value: Any
    text: str


def read(request: HttpRequest, *, required: bool = False) -> dict[str, Member]:
    """The members of the body's JSON object; none for an empty body that is not `required`."""
    raw = raw_body(request, body_limit())
    if not raw.strip():
        if required:
            raise ApiError(400, 'The body is empty; send a JSON object like {"payload": {}}.')
        return {}
    _check_type(request)
    # the envelope is one level, a payload in it has its own limit of levels
    text = payloads.clean(raw, limit=body_limit(), depth=payloads.MAX_DEPTH + 2)
    return members(text, "The body")


def values(request: HttpRequest, *, required: bool = False) -> dict[str, Any]:
    """The same members, without the texts they were."""
    return {name: member.value for name, member in read(request, required=required).items()}


def members(text: str, what: str) -> dict[str, Member]:
    """The members of a JSON object that `payloads.clean` accepted; of repeated keys the last."""
    if not text.startswith("{"):
        raise InvalidPayload(f"{what} must be a JSON object.", line=1, column=1)
    found: dict[str, Member] = {}
    position = _skip(text, 1)
    while text[position] != "}":
        key, position = _decoder.raw_decode(text, position)
        start = _skip(text, _skip(text, position) + 1)
        value, end = _decoder.raw_decode(text, start)
        found[key] = Member(value, text[start:end])
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found


def _skip(text: str, position: int) -> int:
    while text[position] in payloads.WHITESPACE:
        position += 1
    return position


def raw_body(request: HttpRequest, limit: int) -> bytes:
    """The body, refused by its declared length before a byte of it is read."""
    declared = check_length(request, limit)
    raw = request.read(limit + 1)
    if len(raw) > limit:
        raise ApiError(413, f"The request's body has more than {limit:,} bytes.")
    if declared.isdecimal() and len(raw) < int(declared):
        raise ApiError(400, f"The body ended after {len(raw):,} of {declared} bytes.")
    return raw


def check_length(request: HttpRequest, limit: int) -> str:
    """What it declares, which is within the limit if it is a number; raises a 413."""
    declared = str(request.META.get("CONTENT_LENGTH", ""))
    if declared.isdecimal() and int(declared) > limit:
        raise ApiError(413, f"The request's body has more than {limit:,} bytes.")
    return declared


def _check_type(request: HttpRequest) -> None:
    if request.content_type != "application/json":
        raise ApiError(415, "Send the body as content-type: application/json.")
    charset = request.content_params.get("charset", "utf-8") if request.content_params else "utf-8"
    if charset.lower().strip("\"'") not in {"utf-8", "utf8"}:
        raise ApiError(415, "Send the body in UTF-8.")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
        raise ApiError(415, "Send the body without content-encoding.")

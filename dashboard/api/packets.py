"""Payloads as clients encode them, decoded to the JSON text a run stores."""

import json

from dashboard import packetstore
from dashboard.api import bodies
from dashboard.api.bodies import Member
from dashboard.api.errors import ApiError
from dashboard.bodylimit import body_limit
from runs import payloads
from runs.errors import InvalidPayload, NotFound

STORED = "application/store"
#: What may be uploaded to be named later.
KINDS = ("application/json", "application/super+json", "text/plain")


def text(payload: Member | None, kind: object) -> str | None:
    """The JSON text of `payload` sent as payloadType `kind`, or None for none.

    Without a type the payload is the JSON value it is. With application/json a string is JSON text,
    with application/super+json it is superjson of which `json` is taken, with text/plain it is
    itself. With application/store it was uploaded before, and the string is where.
    """
    if payload is None:
        return None
    if kind == STORED:
        return _stored(payload.value)
    if not isinstance(payload.value, str) or kind in {None, "text/plain"}:
        return payloads.clean(payload.text)
    if kind == "application/json":
        return payloads.clean(payload.value)
    if kind == "application/super+json":
        return _flattened(payload.value)
    raise ApiError(
        422,
        f"payloadType {str(kind)[:60]!r} is not supported; use application/json, "
        "application/super+json, text/plain or application/store.",
    )


def _stored(path: object) -> str:
    """The payload that was uploaded to a path of ours; checked as if it came with the trigger."""
    if not isinstance(path, str):
        raise ApiError(400, f"With payloadType {STORED} the payload is the storagePath, a text.")
    try:
        packet = packetstore.read(path, body_limit())
    except NotFound as error:
        raise ApiError(400, str(error)) from error
    if packet.kind == "text/plain":
        return payloads.clean(json.dumps(decoded(packet.content), ensure_ascii=False))
    if packet.kind == "application/super+json":
        return _flattened(decoded(packet.content))
    return payloads.clean(packet.content)


def decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"The packet is not UTF-8: {error.reason}.") from error


def _flattened(packet: str) -> str:
    document = payloads.clean(packet, limit=body_limit(), depth=payloads.MAX_DEPTH + 1)
    found = bodies.members(document, "A superjson payload")
    if "json" not in found:
        raise InvalidPayload("A superjson payload must have a member “json”.")
    return payloads.clean(found["json"].text)

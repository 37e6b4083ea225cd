"""Payloads as clients encode them, decoded to the JSON text a run stores."""

from dashboard.api import bodies
from dashboard.api.bodies import Member
from dashboard.api.errors import ApiError
from dashboard.bodylimit import body_limit
from runs import payloads
from runs.errors import InvalidPayload


def text(payload: Member | None, kind: object) -> str | None:
    """The JSON text of `payload` sent as payloadType `kind`, or None for none.

    Without a type the payload is the JSON value it is. With application/json a string is JSON text,
    with application/super+json it is superjson of which `json` is taken, with text/plain it is
    itself.
    """
    if payload is None:
        return None
    if not isinstance(payload.value, str) or kind in {None, "text/plain"}:
        return payloads.clean(payload.text)
    if kind == "application/json":
        return payloads.clean(payload.value)
    if kind == "application/super+json":
        return _flattened(payload.value)
    raise ApiError(
        422,
        f"payloadType {str(kind)[:60]!r} is not supported; use application/json, "
        "application/super+json or text/plain.",
    )


def _flattened(packet: str) -> str:
    document = payloads.clean(packet, limit=body_limit(), depth=payloads.MAX_DEPTH + 1)
    found = bodies.members(document, "A superjson payload")
    if "json" not in found:
        raise InvalidPayload("A superjson payload must have a member “json”.")
    return payloads.clean(found["json"].text)

"""Which refusals an operation may answer: those of its kind, and those it names itself."""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from dashboard.openapi.operations import Operation
from dashboard.openapi.schemas import Schemas


class Detail(TypedDict):
    """What is wrong with one parameter."""

    path: str
    message: str


class Error(TypedDict):
    """A refusal: one sentence for people, and for some a code for programs."""

    error: str
    details: NotRequired[list[Detail]]
    code: NotRequired[str]
    param: NotRequired[str]
    type: NotRequired[str]


class TooMany(Error):
    """A refusal to a caller who asks too often, in the words of RFC 9457 too."""

    title: str
    detail: str


EVERY = {400: "Something in the request is not understood.", 503: "The database is away or busy."}
KEYED = {
    401: "No key, or one that is unknown, expired or revoked.",
    403: "The key lacks the role, or the public token the scope.",
    429: "Too many requests.",
}
NAMED = {404: "There is no such thing. `x-should-retry: true` while it may still appear."}
WITH_BODY = {
    408: "The body took too long to arrive.",
    413: "The body is too large.",
    415: "The body's content type, charset or encoding is another.",
    422: "A rule refuses it: too many tags, an unknown queue, an unsupported option.",
}
CHANGING = {409: "Its state does not allow this."}
HEADERS: dict[int, dict[str, Any]] = {
    401: {"www-authenticate": "How to authenticate."},
    404: {"x-should-retry": "Whether trying again may help, `true` or `false`."},
    429: {
        "x-ratelimit-limit": "Requests there may be in a burst.",
        "x-ratelimit-remaining": "Requests left.",
        "x-ratelimit-reset": "When there are more again, in milliseconds since 1970.",
    },
    503: {"x-should-retry": "`false` where trying again cannot help."},
}


def of(operation: Operation, is_named: bool) -> dict[int, str]:
    """Sentences by status; `is_named`: its address has parameters."""
    found = dict(EVERY)
    if operation.is_keyed:
        found |= KEYED
    if is_named:
        found |= NAMED
    if operation.body is not None:
        found |= WITH_BODY
    if is_named and operation.method != "GET":
        found |= CHANGING
    own = {status: text for status, text in operation.answers.items() if isinstance(text, str)}
    return dict(sorted((found | own).items()))


def answer(status: int, sentence: str, schemas: Schemas) -> dict[str, Any]:
    kind = "application/problem+json" if status == 429 else "application/json"
    shape = TooMany if status == 429 else Error
    schema = schemas.reference(shape, "serialization")
    headers = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in HEADERS.get(status, {}).items()
    }
    return {
        "description": sentence,
        **({"headers": headers} if headers else {}),
        "content": {kind: {"schema": schema}},
    }

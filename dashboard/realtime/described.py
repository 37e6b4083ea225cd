"""What the realtime addresses say of themselves, for the OpenAPI document and the reference page."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from dashboard.openapi.operations import Media, Operation

MISSING = "The server holds no realtime requests."


class FeedMessage(TypedDict):
    """A row of a run under a key, or without one a word on where the feed stands."""

    key: NotRequired[str]
    value: NotRequired[dict[str, JsonValue]]
    headers: dict[str, str]


class Given(TypedDict):
    """What the run that reads gets."""

    data: JsonValue


class Taken(TypedDict):
    """It is there."""

    ok: Literal[True]


class Opened(TypedDict):
    """How the stream is written."""

    version: Literal["v1"]


def _text(description: str) -> Any:
    return Annotated[str, Field(description=description)]


FEED: dict[str, Any] = {
    "offset": _text("`-1` at first, then the `electric-offset` of the answer before."),
    "handle": _text("The `electric-handle` of the answer before."),
    "live": Annotated[Literal["true"], Field(description="Wait up to 20 s for news.")],
    "cursor": _text("The `electric-cursor` of the answer before."),
    "log": _text("Ignored."),
    "skipColumns": _text("Columns that are not sent, joined by commas."),
}
TAGGED: dict[str, Any] = {
    "tags": _text("Runs that have all of them, joined by commas."),
    "createdAt": _text("How far back, like `1h`; 24 hours by default."),
    **FEED,
}


def tagged() -> None:
    """Runs with tags as they are, and whenever one changes or comes."""


def run() -> None:
    """A run as it is, and whenever it changes."""


def batch() -> None:
    """The runs of a batch as they are, and whenever one changes."""


def give() -> None:
    """Give data to a run that reads an input stream."""


def stream() -> None:
    """A stream of a run as server-sent events, from the beginning or after `last-event-id`."""


def opened() -> None:
    """Open a stream of a run, its parent's or its root's, to write."""


def write() -> None:
    """Write chunks to a stream, one on each line of JSON."""


def append() -> None:
    """Write the body as one chunk of a stream."""


def _feed(handler: Callable[..., Any], query: dict[str, Any]) -> list[Operation]:
    answers = {200: list[FeedMessage], 409: "Begin anew, with offset -1.", 501: MISSING}
    return [Operation("GET", handler, "viewer", 200, None, query, answers, True)]


def _writing(
    method: str, handler: Callable[..., Any], body: Any, shape: Any, status: int
) -> Operation:
    return Operation(method, handler, "operator", status, body, None, {status: shape, 501: MISSING})


#: By the name of the address.
OPERATIONS: dict[str, list[Operation]] = {
    "tagged": _feed(tagged, TAGGED),
    "run": _feed(run, FEED),
    "batch": _feed(batch, FEED),
    "input": [_writing("POST", give, Given, Taken, 200)],
    "append": [_writing("POST", append, Media("text/plain"), Taken, 200)],
    "write": [
        _writing("PUT", opened, None, Opened, 202),
        _writing("POST", write, Media("application/x-ndjson", JsonValue), dict[str, Any], 200),
    ],
    "stream": [
        Operation(
            "GET", stream, "viewer", 200, None, None,
            {200: Media("text/event-stream"), 501: MISSING}, True,
        )
    ],
}  # fmt: skip

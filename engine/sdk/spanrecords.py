"""What is told of a span, by the process that executes to the one that keeps the books."""

import json
import time
from typing import NamedTuple, Protocol

from engine.sdk.attributes import shortened, storable
from runs import tracing

MAX_ERROR = 1000
OPEN, OK, ERROR, CANCELED = "open", "ok", "error", "canceled"


class Record(NamedTuple):
    """What the cluster is told of a span. Moments are nanoseconds since 1970."""

    attempt: int
    span_id: str
    parent_id: str
    kind: str
    name: str
    status: str
    started: int
    ended: int | None = None
    error: str = ""
    #: JSON text.
    attributes: str = ""
    #: To the database; the others are rows already and only exported.
    is_stored: bool = True
    #: It started in an earlier segment of its attempt.
    is_older: bool = False
    trace_id: str = ""
    flags: int = 0
    state: str = ""


class SpanSink(Protocol):
    """Takes records of spans, beside log lines; the cluster stores and exports them."""

    #: Whether spans that are no rows are wanted too.
    is_exporting: bool

    def span(self, record: Record) -> bool:
        """Take one; False when there is no room for it."""


def dropped(attempt: int, parent_id: str, count: int) -> Record:
    """The record that stands for spans that were left out."""
    now = time.time_ns()
    return Record(
        attempt=attempt,
        span_id=tracing.span_id("dropped", now, count),
        parent_id=parent_id,
        kind="dropped",
        name=f"{count:,} more {'span was' if count == 1 else 'spans were'} dropped",
        status=OK,
        started=now,
        ended=now,
        attributes=json.dumps({"count": count}),
    )


def said(error: BaseException | str) -> str:
    """The error in one line or few."""
    if isinstance(error, str):
        return shortened(storable(error), MAX_ERROR)
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be read)"
    name = type(error).__name__
    return shortened(storable(f"{name}: {text}" if text else name), MAX_ERROR)

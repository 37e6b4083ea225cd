"""The spans of one segment of an attempt: their ids, how they nest, and what is told of them."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any

from engine.sdk import opentelemetry
from engine.sdk.attributes import flattened, storable
from engine.sdk.errors import Suspend, TaskRunStopped
from engine.sdk.spanevents import Events
from engine.sdk.spanrecords import CANCELED, ERROR, OK, OPEN, Record, SpanSink, dropped, said
from runs import conf, tracing
from runs.errors import InvalidOption
from runs.tracing import TraceContext

MAX_NAME = 256


def never() -> bool:
    """Nothing is repeated."""
    return False


class Segment:
    """Where the spans of one segment go. `is_repeating` says that its code only does again what it did."""

    def __init__(
        self,
        sink: object = None,
        is_repeating: Callable[[], bool] = never,
        shield: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.sink: SpanSink | None = sink if hasattr(sink, "span") else None  # type: ignore[assignment]
        self.is_repeating, self.shield = is_repeating, shield

    @property
    def is_exporting(self) -> bool:
        return self.sink is not None and self.sink.is_exporting


class Tracer:
    """Makes the spans of one segment. Made when the first one is needed."""

    def __init__(self, run_id: str, attempt: int, caller: TraceContext, segment: Segment) -> None:
        self.run_id, self.attempt, self.caller = run_id, attempt, caller
        self.root_id = tracing.attempt_span_id(run_id, attempt)
        self.segment = segment
        self._left = int(conf.get("SPANS_PER_ATTEMPT"))
        self._dropped = 0
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

    def place(self, span_id: str = "") -> TraceContext:
        """Where what is called from a span is in the trace."""
        return self.caller._replace(span_id=span_id or self.root_id)

    def number(self, parent_id: str, kind: str, name: str) -> int:
        """The how manieth span of that name there it is."""
        with self._lock:
            self._counts[parent_id, kind, name] += 1
            return self._counts[parent_id, kind, name]

    def tell(self, record: Record) -> None:
        """Hand a record over; what is too much is counted."""
        sink = self.segment.sink
        if sink is None:
            return
        if record.is_stored and record.status == OPEN:
            with self._lock:
                if self._left <= 0:
                    self._dropped += 1
                    return
                self._left -= 1
        if not self._taken(sink, record) and record.status != OPEN:
            with self._lock:
                self._dropped += 1

    def _taken(self, sink: SpanSink, record: Record) -> bool:
        try:
            with self.segment.shield():
                return sink.span(record)
        except OSError:  # the body may have closed the sink's socket
            return False

    @property
    def has_room(self) -> bool:
        return self._left > 0

    def close(self) -> None:
        """The segment ends: say how many spans were left out."""
        count, self._dropped = self._dropped, 0
        if count and self.segment.sink is not None:
            self._taken(self.segment.sink, dropped(self.attempt, self.root_id, count))


class Span:
    """A piece of a run: what it is called, when it began and ended, and how.

    Example:
        with logger.trace("import", source=url) as span:
            span.set_attribute("rows", len(rows))
    """

    def __init__(
        self,
        tracer: Tracer | None,
        parent_id: str,
        name: str,
        kind: str = "user",
        attributes: Mapping[str, Any] | None = None,
        place: tuple[object, ...] = (),
    ) -> None:
        self.name, self.kind = name, kind
        self._tracer, self._parent_id = tracer, parent_id
        self._attributes: dict[str, Any] = dict(attributes or {})
        self._events: Events | None = None
        self._place, self._id = place, ""
        self._status, self._error = OK, ""
        self._started, self._is_older, self._is_told = time.time_ns(), False, True
        self._ended = False

    @property
    def id(self) -> str:
        """16 hexadecimal digits, the same when code runs again after a wait; empty outside of a run."""
        if not self._id and self._tracer is not None:
            self._id = self._made_id(self._tracer)
        return self._id

    def _made_id(self, tracer: Tracer) -> str:
        if self._place:
            return tracing.span_id(tracer.run_id, tracer.attempt, *self._place)
        number = tracer.number(self._parent_id, self.kind, self.name)
        place = (self._parent_id, self.kind, self.name, number)
        return tracing.span_id(tracer.run_id, tracer.attempt, *place)

    @property
    def traceparent(self) -> str:
        """The W3C header for a request that belongs to this span; empty outside of a run."""
        return self._tracer.place(self.id).header if self._tracer is not None else ""

    def set_attribute(self, name: str, value: Any) -> None:
        """Note a fact; nested dicts and lists become names with dots."""
        self._attributes[checked_attribute(name)] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Note several facts."""
        for name, value in attributes.items():
            self.set_attribute(name, value)

    def add_event(
        self, name: str, /, attributes: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        """Note that something happened just now, as in `span.add_event("cache miss", key="a")`."""
        self._events = self._events or Events()
        self._events.add(name, {**(attributes or {}), **more})

    def record_exception(self, error: BaseException) -> None:
        """Note an error that was dealt with, as the event “exception”; the span does not fail."""
        kind = type(error).__qualname__
        self.add_event("exception", {"exception.type": kind, "exception.message": said(error)})

    def fail(self, error: BaseException | str) -> None:
        """Mark the span as failed; the run goes on."""
        self._status, self._error = ERROR, said(error)

    def end(self) -> None:
        """End a span of `logger.start_span()`; only the first time counts."""
        if self._ended:
            return
        self._ended = True
        tracer = self._tracer
        if tracer is None or (self._is_older and tracer.segment.is_repeating()):
            return
        if self._is_told and self.is_wanted(tracer):
            tracer.tell(self._record(tracer, self._status, time.time_ns()))

    # -- for the SDK ------------------------------------------------------------------------------

    def end_wait(self, started: int) -> None:
        """End the span of a wait that began in an earlier segment."""
        self._started = started
        if self._tracer is not None:
            self._tracer.tell(self._record(self._tracer, OK, time.time_ns()))

    @property
    def is_stored(self) -> bool:
        """Whether it is a row of its own."""
        return self.kind not in ("step", "wait")

    def is_wanted(self, tracer: Tracer) -> bool:
        return self.is_stored or tracer.segment.is_exporting

    def begin(self) -> None:
        """Tell of it while it is open."""
        tracer = self._tracer
        if tracer is None or not self.is_wanted(tracer):
            return
        if tracer.segment.is_repeating():
            self._is_older = True
            _ = self.id  # counts among those of its name
        elif self.is_stored:
            self._is_told = tracer.has_room
            tracer.tell(self._record(tracer, OPEN, None))

    def stopped_by(self, error: BaseException | None) -> bool:
        """Note how its code ended; False when the run only leaves its worker to wait."""
        if error is None:
            return True
        if is_pause(error):
            return False
        if is_stop(error):
            self._status, self._error = CANCELED, said(error)
        elif not isinstance(error, GeneratorExit):
            self.fail(error)
        return True

    def _told_attributes(self) -> str:
        text = flattened(self._attributes)
        return text if self._events is None else self._events.beside(text)

    def _record(self, tracer: Tracer, status: str, ended: int | None) -> Record:
        caller = tracer.caller
        return Record(
            attempt=tracer.attempt,
            span_id=self.id,
            parent_id=self._parent_id or tracer.root_id,
            kind=self.kind,
            name=storable(self.name)[:MAX_NAME],
            status=status,
            started=self._started,
            ended=ended,
            error=self._error,
            attributes=self._told_attributes(),
            is_stored=self.is_stored,
            is_older=self._is_older,
            trace_id=caller.trace_id,
            flags=caller.flags,
            state=caller.state,
        )


#: The innermost span of this code.
current_span: ContextVar[Span | None] = ContextVar("trackside_span", default=None)


class Entered:
    """A span while its code runs: the current one here, and OpenTelemetry's where that is in use."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._token = current_span.set(span)
        tracer = span._tracer
        self._outer: Any = None
        if tracer is not None and opentelemetry.is_in_use():
            self._outer = opentelemetry.enter(tracer.place(span.id))

    def step_out(self) -> None:
        """The span goes on, and this code is no longer in it."""
        opentelemetry.leave(self._outer)
        with suppress(ValueError):  # left in another context, as generators are
            current_span.reset(self._token)

    def leave(self, error: BaseException | None) -> None:
        self.step_out()
        if self.span.stopped_by(error):
            self.span.end()


def is_pause(error: BaseException) -> bool:
    """Whether the run only leaves its worker to wait, also where a TaskGroup wrapped it."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_pause(one) for one in error.exceptions)
    return isinstance(error, Suspend)


def is_stop(error: BaseException) -> bool:
    """Whether the code was told to stop."""
    return isinstance(error, (TaskRunStopped, asyncio.CancelledError))


def checked_name(name: object) -> str:
    """A span's name. Raises InvalidOption."""
    if isinstance(name, str) and name.strip():
        return name
    raise InvalidOption(
        "name", f"A span's name is text of 1 to {MAX_NAME} characters; got {name!r:.80}."
    )


def checked_attribute(name: object) -> str:
    if isinstance(name, str) and name:
        return name
    raise InvalidOption("attributes", f"An attribute's name is text; got {name!r:.80}.")

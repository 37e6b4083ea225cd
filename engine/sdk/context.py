"""`ctx`: what a body may know about the run it executes (features.md section 18)."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from engine.sdk import opentelemetry
from engine.sdk.cancellation import CancelSignal
from engine.sdk.deliveries import Delivery, delivery_of
from engine.sdk.meters import Meter
from engine.sdk.notes import Notes
from engine.sdk.streambook import StreamBook
from engine.sdk.tracer import Segment, Tracer, current_span
from runs import tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The run, as it stood when this attempt started."""

    id: str
    tags: tuple[str, ...] = ()
    is_test: bool = False
    is_replay: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    idempotency_key: str | None = None
    idempotency_key_scope: str | None = None
    max_attempts: int = 1
    max_duration: float | None = None
    version: str = ""
    priority: float = 0.0
    concurrency_key: str | None = None
    metadata: Any = None
    parent_task_run_id: str | None = None
    root_task_run_id: str | None = None
    replayed_from_id: str | None = None
    #: Who triggered it, in a trace that spans several services.
    traceparent: str | None = None
    tracestate: str | None = None


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """The task and the file that defines it."""

    id: str
    file_path: str = ""


@dataclass(frozen=True, slots=True)
class AttemptInfo:
    """Which try this is, counted from 1."""

    number: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """The queue the run came through."""

    name: str


@dataclass(frozen=True, slots=True)
class EnvironmentInfo:
    """Where this deployment stands; `type` is "dev", "staging" or "prod"."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class MachineInfo:
    """The machine preset: vCPUs and gigabytes of memory."""

    name: str
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """The batch the run was triggered in."""

    id: str


@dataclass(frozen=True, kw_only=True)
class Context:
    """A frozen snapshot taken when the attempt started, and the signal to stop.

    Example:
        @task
        def report(payload, ctx):
            logger.info(f"attempt {ctx.attempt.number} of run {ctx.run.id}")
    """

    run: RunInfo
    task: TaskInfo
    attempt: AttemptInfo
    queue: QueueInfo
    environment: EnvironmentInfo
    machine: MachineInfo
    batch: BatchInfo | None = None
    _signal: CancelSignal = field(default_factory=CancelSignal, repr=False, compare=False)
    _watched: list[bool] = field(default_factory=list, repr=False, compare=False)
    _locals: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    #: What the attempt stays open for.
    _open: list[Any] = field(default_factory=list, repr=False, compare=False)
    #: Hooks that were registered while it executes.
    _hooks: list[Any] = field(default_factory=list, repr=False, compare=False)
    #: Where its spans go; one at most.
    _segments: list[Segment] = field(default_factory=list, repr=False, compare=False)

    @property
    def signal(self) -> CancelSignal:
        """The signal to stop. A body that has asked for it is trusted to watch it."""
        if not self._watched:
            self._watched.append(True)
        return self._signal

    @property
    def traceparent(self) -> str:
        """The W3C header for requests that belong to this run: to the span this code is in."""
        outer = current_span.get()
        inside = outer is not None and outer._tracer is self._tracer
        return self._tracer.place(outer.id if outer is not None and inside else "").header

    @property
    def tracestate(self) -> str:
        """What goes with `traceparent`; empty for none."""
        return self._tracer.caller.state

    @cached_property
    def _tracer(self) -> Tracer:
        run, segment = self.run, self._segments[0] if self._segments else Segment()
        caller = tracing.context_of(run.id, run.traceparent, run.tracestate)
        return Tracer(run.id, self.attempt.number, caller, segment)

    @property
    def webhook(self) -> Delivery | None:
        """What the delivery that made this run said beside its body; None for other runs."""
        return delivery_of(self.run.metadata)

    @cached_property
    def _notes(self) -> Notes:
        return Notes(self.run.id, self.run.metadata)

    @cached_property
    def _streams(self) -> StreamBook:
        return StreamBook(self.run.id, self.attempt.number)

    @cached_property
    def _inputs(self) -> dict[str, int]:
        """Messages the body has had of each input."""
        return {}

    @cached_property
    def _meter(self) -> Meter:
        return Meter(self.run.id, self.attempt.number, self.attempt.started_at)

    def _renew(self, run: RunInfo) -> None:
        """The body goes on after a wait in which it stayed here."""
        object.__setattr__(self, "run", run)
        for name in ("_notes", "_meter"):
            self.__dict__.pop(name, None)

    def _close(self) -> None:
        """The body has ended: what it noted is stored."""
        if "_notes" in self.__dict__:
            self._notes.close()
        if "_streams" in self.__dict__:
            self._streams.close()
        if "_tracer" in self.__dict__:
            self._tracer.close()


_current: ContextVar[Context | None] = ContextVar("trackside_context", default=None)
#: By identity: contexts that are equal are not the same.
_executing: dict[int, Context] = {}


def current() -> Context | None:
    """The context of the run this code executes for, or None outside of a run.

    Threads that a body starts see its context too, as long as the process executes one run.

    Example:
        ctx = current()
        run_id = ctx.run.id if ctx else "no run"
    """
    found = _current.get()
    if found is None and len(_executing) == 1:
        return next(iter(_executing.values()))
    return found


def asking() -> str:
    """Who asks, as histories and the audit log name code."""
    ctx = current()
    return "code" if ctx is None else f"run:{ctx.run.id}"


@contextmanager
def emptied(executing: dict[int, Any]) -> Iterator[None]:
    """While entered, none of these is that of this process: another run executes in it."""
    before = executing.copy()
    executing.clear()
    try:
        yield
    finally:
        executing.clear()
        executing.update(before)


def apart() -> AbstractContextManager[None]:
    """While entered, no context is that of this process."""
    return emptied(_executing)


@contextmanager
def executing(context: Context) -> Iterator[None]:
    """Make `context` the current one; for the engine and for tests."""
    token = _current.set(context)
    _executing[id(context)] = context
    outer = opentelemetry.enter(context._tracer.place()) if opentelemetry.is_in_use() else None
    try:
        yield
    finally:
        opentelemetry.leave(outer)
        del _executing[id(context)]
        _current.reset(token)

"""Whose code a shared event loop is in, and who stays in it too long."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context as Variables
from contextvars import ContextVar, copy_context
from typing import Any, Protocol, TypeVar

from engine.execution.assignment import Assignment
from engine.execution.capture import Lines
from engine.execution.interrupts import Delivery

#: Code that stays in the event loop longer than this many seconds is told of.
HELD = 0.5
R = TypeVar("R")


class Guest:
    """One attempt in the shared process; `number` is its place there."""

    def __init__(self, number: int, assignment: Assignment) -> None:
        self.number, self.assignment = number, assignment
        #: Carries the word to stop; None until it has begun.
        self.delivery: Delivery | None = None
        self.lines: Lines | None = None
        #: The asyncio tasks of its code that have not ended.
        self.tasks: set[asyncio.Task[Any]] = set()

    def look(self) -> None:
        """Let it hear that it was asked to stop. Called in the event loop."""
        if self.delivery is not None:
            self.delivery.look()

    def tell_held(self, seconds: float, others: int) -> None:
        """Say in its log that its code kept the loop from all others."""
        plural = "run" if others == 1 else "runs"
        waited = f"{others} other {plural} waited" if others else "other runs would have waited"
        text = (
            f"“{self.assignment.task_id}” held the event loop for {seconds:.1f} s; {waited}. Await "
            "what takes long, or give it to a thread: await asyncio.to_thread(...)."
        )
        if self.lines is not None:
            self.lines.write(logging.WARNING, "trackside", text)


#: Whose code this is.
guest_here: ContextVar[Guest | None] = ContextVar("trackside_guest", default=None)

#: asyncio itself keeps no task from being collected as garbage.
_under_way: set[asyncio.Task[Any]] = set()


def begun(
    guest: Guest, steps: Coroutine[Any, Any, R], variables: Variables | None = None
) -> "asyncio.Task[R]":
    """A task of the attempt's own steps: watched like its code, and ended by nobody."""
    variables = variables or copy_context()
    variables.run(guest_here.set, guest)
    task = asyncio.get_running_loop().create_task(steps, context=variables)
    guest.tasks.discard(task)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task


class Watch(Protocol):
    """Is told whose code the event loop is in."""

    def enter(self, guest: Guest) -> None:
        """The loop goes into code of this guest."""

    def leave(self, guest: Guest) -> None:
        """The loop is out of it."""


def watched(watch: Watch) -> Callable[..., "asyncio.Task[Any]"]:
    """A task factory that tells `watch` of every step of every guest's code."""

    def made(
        loop: asyncio.AbstractEventLoop, code: Coroutine[Any, Any, Any], **options: Any
    ) -> "asyncio.Task[Any]":
        given: Variables | None = options.get("context")
        guest = guest_here.get() if given is None else given.get(guest_here)
        if guest is None:
            return asyncio.Task(code, loop=loop, **options)
        task = asyncio.Task(Watched(code, watch, guest), loop=loop, **options)
        guest.tasks.add(task)
        task.add_done_callback(guest.tasks.discard)
        return task

    return made


class Watched(Coroutine[Any, Any, Any]):
    """A coroutine whose steps are told of; in everything else it is the one inside."""

    def __init__(self, code: Coroutine[Any, Any, Any], watch: Watch, guest: Guest) -> None:
        self._code, self._watch, self._guest = code, watch, guest

    def send(self, value: Any) -> Any:
        self._watch.enter(self._guest)
        try:
            return self._code.send(value)
        finally:
            self._watch.leave(self._guest)

    def throw(self, *error: Any) -> Any:
        self._watch.enter(self._guest)
        try:
            return self._code.throw(*error)
        finally:
            self._watch.leave(self._guest)

    def close(self) -> None:
        self._code.close()

    def __await__(self) -> Iterator[Any]:  # type: ignore[override]
        return self._code.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._code, name)


class Held:
    """A `Watch` that tells a guest when its code stayed in the loop too long."""

    def __init__(self, company: Callable[[], int]) -> None:
        self._company, self._since = company, 0.0

    def enter(self, guest: Guest) -> None:
        self._since = time.monotonic()

    def leave(self, guest: Guest) -> None:
        if (seconds := time.monotonic() - self._since) > HELD:
            guest.tell_held(seconds, self._company() - 1)

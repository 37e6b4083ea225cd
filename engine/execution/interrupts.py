"""Stopping a body from outside: a signal tells the worker to look why, and the body hears of it.

The handler runs between any two bytecodes of the main thread, so it takes no lock. It raises only
while the body itself runs, never inside our own steps (`shielded`), and at most once: what the body
does in `finally` is not cut short. A body that watches `ctx.signal` is trusted to stop by itself.
Whoever does not stop is killed by the supervisor after a grace.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from engine.sdk.context import Context
from engine.sdk.errors import STOPS, TaskRunStopped

#: What ends a body that was told to stop.
STOPPED = (TaskRunStopped, asyncio.CancelledError)


class Control(Protocol):
    """The supervisor's word about the run that executes now."""

    def reason(self) -> str:
        """Why it should stop: "cancel", "timeout", "shutdown", or empty."""


class Delivery:
    """Carries the word to stop into one body."""

    def __init__(self, control: Control, ctx: Context) -> None:
        self._control, self._ctx = control, ctx
        self._stop: Callable[[str], None] | None = None
        self._shields = 0
        self._main = threading.get_ident()

    @property
    def reason(self) -> str:
        """Why the body was told to stop, or empty."""
        return self._ctx._signal.reason

    def look(self) -> None:
        """Ask the control and pass the word on. Called by the signal handler."""
        reason = self._control.reason()
        if reason:
            self._ctx._signal.abort(reason)
            self._deliver()

    def call(self, body: Callable[[], Any]) -> Any:
        """Run a plain body; raises TaskRunStopped inside it when told to stop."""
        try:
            self._stop = _raise
            self.look()
            return body()
        finally:
            self._stop = None

    def rest(self) -> None:
        """Raise nothing until the next call: the code that ran has handed over to another."""
        self._stop = None

    async def cancelable(self, body: Coroutine[Any, Any, Any]) -> Any:
        """The coroutine; its asyncio task is canceled when told to stop."""
        loop, me = asyncio.get_running_loop(), asyncio.current_task()
        try:
            self._stop = lambda _reason: _cancel(loop, me)
            self.look()
            return await body
        finally:
            self._stop = None

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Nothing is raised in here; it comes right afterwards."""
        if threading.get_ident() != self._main:
            yield
            return
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            if self.reason:
                self._deliver()

    def _deliver(self) -> None:
        stop, trusted = self._stop, self._ctx._watched and self._stop is _raise
        if stop is not None and not trusted and not self._shields:
            self._stop = None
            stop(self.reason)


def _raise(reason: str) -> None:
    raise STOPS[reason](f"The run was stopped: {reason}.")


def _cancel(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[Any] | None") -> None:
    if task is not None:
        loop.call_soon_threadsafe(task.cancel)


_active: Delivery | None = None


def install(number: signal.Signals = signal.SIGUSR1) -> None:
    """Listen to the signal. Call it when a worker starts, before anybody may send one."""
    signal.signal(number, _handle)


def _handle(_number: int, _frame: object) -> None:
    look()


def look() -> None:
    """Ask the control of the attempt that executes whether it should stop, and let it."""
    if _active is not None:
        _active.look()


class listening:  # noqa: N801  used like a function, as `contextlib` does
    """Pass the supervisor's word on for as long as this attempt lasts."""

    def __init__(self, control: Control, ctx: Context) -> None:
        self._delivery = Delivery(control, ctx)

    def __enter__(self) -> Delivery:
        global _active
        self._outer, _active = _active, self._delivery
        return self._delivery

    def __exit__(self, *_: object) -> None:
        global _active
        _active = self._outer


def hush() -> Delivery | None:
    """Pass nothing on to the attempt that executes; returns who `resound` is to pass it on to."""
    global _active
    before, _active = _active, None
    return before


def resound(delivery: Delivery | None) -> None:
    """Pass on again, also what came meanwhile."""
    global _active
    _active = delivery
    look()


def is_stop(error: BaseException) -> bool:
    """Whether the body ended by the exception that stopped it, also if its cleanup failed too."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        if isinstance(at, STOPPED):
            return True
        seen.add(id(at))
        at = at.__cause__ or at.__context__
    return False

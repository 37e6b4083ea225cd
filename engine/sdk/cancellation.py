"""`ctx.signal`: how a body learns that it should stop.

`abort` is called from a Unix signal handler, between any two bytecodes of the body, so nothing here
takes a lock that the body might hold: the gate is a bare lock that is only ever released.
"""

import _thread
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.sdk.errors import STOPS

Callback = Callable[[str], object]

#: What is done instead of sleeping so many seconds; None is to wait until told to stop.
_instead: Callable[[float | None], None] | None = None


@contextmanager
def passing_by(instead: Callable[[float | None], None]) -> Iterator[None]:
    """No body sleeps by our means: `instead` is called with the seconds. For tests."""
    global _instead
    before, _instead = _instead, instead
    try:
        yield
    finally:
        _instead = before


def passed_by(seconds: float | None) -> bool:
    """Whether a sleep of so many seconds was passed by."""
    if _instead is None:
        return False
    _instead(seconds)
    return True


class CancelSignal:
    """Says whether, and why, this run should stop: "cancel", "timeout" or "shutdown".

    A body that never looks at it is interrupted by an exception instead.

    Example:
        for row in rows:
            ctx.signal.raise_if_aborted()
            process(row)
    """

    def __init__(self) -> None:
        self._reason = ""
        self._gate = threading.Lock()
        self._gate.acquire()
        self._callbacks: list[Callback] = []

    @property
    def aborted(self) -> bool:
        """Whether the run should stop."""
        return bool(self._reason)

    @property
    def reason(self) -> str:
        """Why it should stop, or empty."""
        return self._reason

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until the run should stop, at most `timeout` seconds; whether it should."""
        if not self._reason and passed_by(timeout):
            return self.aborted
        limit = -1.0 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX)
        if not self._reason and self._gate.acquire(timeout=limit):
            self._gate.release()
        return self.aborted

    def raise_if_aborted(self) -> None:
        """Raise TaskRunCanceled, TaskRunTimedOut or TaskRunInterrupted if the run should stop."""
        if self._reason:
            raise STOPS[self._reason](f"The run was asked to stop: {self._reason}.")

    def on_abort(self, callback: Callback) -> None:
        """Call `callback(reason)` in a thread of its own when the run should stop."""
        self._callbacks.append(callback)
        if self._reason and callback in self._callbacks:
            self._callbacks.remove(callback)
            _thread.start_new_thread(callback, (self._reason,))

    def abort(self, reason: str) -> None:
        """Tell the body to stop. For the engine; the first reason stays."""
        if self._reason:
            return
        self._reason = reason
        self._gate.release()
        while self._callbacks:
            _thread.start_new_thread(self._callbacks.pop(), (reason,))

"""Pauses a body makes in its process."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.sdk.cancellation import CancelSignal
from engine.sdk.context import current

_instead: Callable[[float], None] | None = None


@contextmanager
def passing_by(instead: Callable[[float], None]) -> Iterator[None]:
    """Nobody sleeps: `instead` is called with the seconds. For tests."""
    global _instead
    before, _instead = _instead, instead
    try:
        yield
    finally:
        _instead = before


def pause(delay: float) -> None:
    """Sleep; a run that is told to stop wakes up and stops."""
    if delay <= 0:
        return
    ctx = current()
    signal = ctx._signal if ctx is not None else CancelSignal()
    if _instead is not None:
        _instead(delay)
    elif signal.wait(delay):
        signal.raise_if_aborted()


async def apause(delay: float) -> None:
    """`pause` for coroutines, which are canceled when the run is told to stop."""
    if _instead is not None:
        _instead(delay)
    else:
        await asyncio.sleep(delay)


def rest(delay: float) -> None:
    """Sleep, whatever the run is told."""
    if _instead is not None:
        _instead(delay)
    else:
        threading.Event().wait(delay)

"""Pauses a body makes in its process."""

import asyncio
import threading

from engine.sdk.cancellation import CancelSignal, passed_by
from engine.sdk.context import current


def pause(delay: float) -> None:
    """Sleep; a run that is told to stop wakes up and stops."""
    ctx = current()
    signal = ctx._signal if ctx is not None else CancelSignal()
    if delay > 0 and signal.wait(delay):
        signal.raise_if_aborted()


async def apause(delay: float) -> None:
    """`pause` for coroutines, which are canceled when the run is told to stop."""
    await asyncio.sleep(0 if passed_by(delay) else delay)


def rest(delay: float) -> None:
    """Sleep, whatever the run is told."""
    if not passed_by(delay):
        threading.Event().wait(delay)

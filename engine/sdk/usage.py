"""`usage`: how long a run has executed so far, and how long a piece of it does (features.md 19)."""

import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from engine.sdk.context import current
from runs.errors import InvalidOption

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Compute:
    """Executing time in milliseconds: waits that left the worker are not part of it."""

    duration_ms: int


@dataclass(frozen=True, slots=True)
class AttemptAndTotal:
    """Of this attempt, and of the run over all its attempts."""

    attempt: Compute
    total: Compute


@dataclass(frozen=True, slots=True)
class CurrentUsage:
    """What the run has used when it was asked; all 0 outside of a run."""

    compute: AttemptAndTotal


@dataclass(frozen=True, slots=True)
class Measured(Generic[R]):
    """What a function returned, and how long it executed."""

    result: R
    compute: Compute


class Usage:
    """Executing time of the run this code is part of: what `max_duration` counts.

    Example:
        if usage.get_current().compute.attempt.duration_ms > 240_000:
            return rest_of(rows)          # another run does the rest
        resized = usage.measure(lambda: resize(image))
        logger.info("resized", ms=resized.compute.duration_ms)
        loaded = await usage.measure(load)  # an async function
    """

    def get_current(self) -> CurrentUsage:
        """How long this attempt, and the run over all attempts, have executed until now."""
        context = current()
        attempt, total = (0, 0) if context is None else context._meter.read()
        return CurrentUsage(AttemptAndTotal(Compute(attempt), Compute(total)))

    @overload
    def measure(self, function: Callable[[], Awaitable[R]]) -> Awaitable[Measured[R]]: ...  # type: ignore[overload-overlap]
    @overload
    def measure(self, function: Callable[[], R]) -> Measured[R]: ...
    def measure(self, function: Callable[[], Any]) -> Any:
        """Call a function and say how long it took; works outside of a run too.

        An async function is awaited: `await usage.measure(load)`. A function that waits (`wait`,
        `trigger_and_wait`) is called again when its run comes back, and what counts then is that call.
        """
        if not callable(function):
            raise InvalidOption("function", f"measure() calls a function; got {function!r:.80}.")
        began = time.perf_counter_ns()
        result = function()
        return awaited(result, began) if inspect.isawaitable(result) else measured(result, began)


async def awaited(coming: Awaitable[R], began: int) -> Measured[R]:
    return measured(await coming, began)


def measured(result: R, began: int) -> Measured[R]:
    return Measured(result, Compute((time.perf_counter_ns() - began) // 1_000_000))


usage = Usage()

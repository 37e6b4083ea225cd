"""Which body this code belongs to: where waits, steps and triggers find its replay."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

from engine.runtime import Launch, Launched, installed
from engine.sdk.calls import Call
from engine.sdk.context import current, emptied
from engine.sdk.errors import CannotWaitHere
from engine.sdk.replay import Replay

_active: ContextVar[Replay | None] = ContextVar("trackside_replay", default=None)
_executing: dict[int, Replay] = {}


@contextmanager
def durable(replay: Replay) -> Iterator[None]:
    """Answer the durable calls of this body by `replay`; for the engine and for tests."""
    token = _active.set(replay)
    _executing[id(replay)] = replay
    try:
        yield
    finally:
        del _executing[id(replay)]
        _active.reset(token)


def apart() -> AbstractContextManager[None]:
    """While entered, no replay is that of this process."""
    return emptied(_executing)


def active() -> Replay | None:
    """The replay of the body this code is part of; its threads see it too."""
    found = _active.get()
    if found is None and len(_executing) == 1:
        return next(iter(_executing.values()))
    return found


def is_repeating() -> bool:
    """Whether the body only does again what it did before the wait it comes back from."""
    replay = active()
    return replay is not None and replay.is_repeating


#: The step this code is part of.
inside: ContextVar[Call | None] = ContextVar("trackside_step", default=None)


def here(what: str) -> Replay:
    """The replay for a durable call named `what`. Raises CannotWaitHere."""
    replay, step = active(), inside.get()
    if replay is None:
        where = "in code that runs without a cluster" if current() else "outside of a task"
        raise CannotWaitHere(f"{what} was called {where}. It works in the body of a run only.")
    if step is not None:
        raise CannotWaitHere(
            f"{what} was called inside step “{step.name}”. A step is one unit: end it first."
        )
    problem = replay.misplaced()
    if problem:
        raise CannotWaitHere(f"{what} {problem}.")
    return replay


class Launcher(Protocol):
    """Makes runs; a part of `Runtime`."""

    def trigger(self, launch: Launch) -> Launched:
        """Make one run."""

    def trigger_many(self, launches: Sequence[Launch]) -> list[Launched]:
        """Make many runs, all or none."""


def launcher() -> Launcher:
    """What makes runs: a body that comes back from a wait finds those it made before."""
    replay, runtime = active(), installed()
    return runtime if replay is None else Repeating(replay, runtime)


class Repeating:
    """Makes only the runs that this attempt has not made before its last wait, and marks them as its own."""

    def __init__(self, replay: Replay, runtime: Launcher) -> None:
        self._replay, self._runtime = replay, runtime

    def trigger(self, launch: Launch) -> Launched:
        return self.trigger_many([launch])[0]

    def trigger_many(self, launches: Sequence[Launch]) -> list[Launched]:
        made = [self._before(launch) for launch in launches]
        new = [launch for launch, run in zip(launches, made, strict=True) if run is None]
        rest = iter(self._runtime.trigger_many(new) if new else [])
        return [next(rest) if run is None else run for run in made]

    def _before(self, launch: Launch) -> Launched | None:
        keyed = "idempotency_key" in launch.options  # its key finds it
        return None if keyed else self._replay.repeated(launch)

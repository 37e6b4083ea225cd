"""Where a body's journal is kept: the port between durable calls and the engine."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import Context as Variables
from typing import Any, Protocol, TypeVar

from engine.runtime import Launch, Launched
from runs.journal import Entry, Pause, Remembered, Target, Unborn

R = TypeVar("R")
Record = Callable[[Entry], None]


class Spot(Protocol):
    """Where a body stands that may stay in its process while it waits."""

    @property
    def is_quiet(self) -> bool:
        """Whether another run may execute here, and finds the process as if there were no body."""

    def aside(self, variables: Variables, work: Callable[[], R]) -> R:
        """Do work that has nothing to do with this body."""

    def come_back(self, assignment: Any) -> None:
        """The body goes on."""


class SharedSpot(Protocol):
    """The same in a process that many bodies share."""

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of the body goes on while it is suspended."""

    async def settle(self) -> None:
        """The body is about to be suspended."""

    def come_back(self, assignment: Any) -> None:
        """The body goes on."""


class Keeper(Protocol):
    """Where the journal is kept. What it cannot write because the run was taken away, it raises."""

    @property
    def token(self) -> str:
        """That of the lease under which the body executes now."""

    def remembered(self) -> Remembered:
        """Everything recorded so far."""

    def children(self) -> list[tuple[str, str]]:
        """Run id and task id of what this attempt triggered with its tokens, in order."""

    def record(self, entries: Sequence[Entry]) -> None:
        """Add entries."""

    def look(self, ids: Sequence[str]) -> dict[str, Target]:
        """How runs and tokens stand."""

    def launch(
        self, launches: Sequence[Launch], entries: Callable[[list[Launched]], list[Entry]]
    ) -> list[Launched]:
        """Make runs, and the entries that point to them, in one transaction."""

    def prepare(self, launches: Sequence[Launch]) -> Unborn | None:
        """The same runs for a `Pause` to make; None where they have to be there before."""

    def stay(self, pause: Pause, spot: Spot) -> bool | None:
        """Let the run wait while its body stays where it is, and return when the wait is over: True.

        None where that cannot be; False where the run has left meanwhile, and its body has to follow.
        """

    async def stay_apart(self, pause: Pause, spot: "SharedSpot") -> bool | None:
        """The same for a body that is a coroutine: it is suspended, and others go on meanwhile."""

    def refuse_circles(self, ids: Sequence[str]) -> None:
        """Raise CannotWaitHere where one of these runs cannot end before this one."""

    def atomic(self) -> AbstractContextManager[Record]:
        """One transaction of Django's default database; what it hands out records in it."""

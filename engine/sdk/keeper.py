"""Where a body's journal is kept: the port between durable calls and the engine."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from engine.runtime import Launch, Launched
from runs.journal import Entry, Remembered, Target, Unborn

Record = Callable[[Entry], None]


class Keeper(Protocol):
    """Where the journal is kept. What it cannot write because the run was taken away, it raises."""

    def remembered(self) -> Remembered:
        """Everything recorded so far."""

    def children(self) -> list[tuple[str, str]]:
        """Run id and task id of what this attempt triggered without waiting, in order."""

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

    def refuse_circles(self, ids: Sequence[str]) -> None:
        """Raise CannotWaitHere where one of these runs cannot end before this one."""

    def atomic(self) -> AbstractContextManager[Record]:
        """One transaction of Django's default database; what it hands out records in it."""

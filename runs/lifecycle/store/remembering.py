"""What a store does for bodies that remember and wait."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from runs.journal import Entry, Remembered, Target


class Remembering(ABC):
    """The verbs over the journal, and the ends of waits."""

    @abstractmethod
    def record(
        self,
        run_id: str,
        token: str,
        entries: Sequence[Entry],
        pid: int = 0,
        began: int | None = None,
    ) -> bool:
        """Add to the run's journal, the first write of a key stays; False: the lease is lost.

        `began` records the start too, where that is not done yet; see `start`.
        """

    @abstractmethod
    def remembered(self, run_id: str) -> Remembered:
        """The run's journal with all it refers to."""

    @abstractmethod
    def recall(self, run_id: str, token: str, targets: Collection[str]) -> dict[str, Target] | None:
        """How these stand, for a worker that still knows the run's journal.

        None unless the run left with `token` when it was executed last: its journal has to be read.
        """

    @abstractmethod
    def move(self, run_id: str, token: str, pid: int) -> None:
        """Another process goes on with what was taken under this lease."""

    @abstractmethod
    def children(self, run_id: str, attempt: int, token: str) -> list[tuple[str, str]]:
        """Run id and task id of what the attempt that has this lease triggered so far, in order.

        Those with a `parent_token` alone: others are found in the journal or by a key.
        """

    @abstractmethod
    def used(self, run_id: str, attempt: int) -> float:
        """Seconds the attempt executed before its last wait."""

    @abstractmethod
    def targets(self, ids: Collection[str]) -> dict[str, Target]:
        """How these runs and tokens stand."""

    @abstractmethod
    def wake(self, token_id: str) -> None:
        """A token has ended, in this transaction: the runs that wait for nothing else go on."""

    @abstractmethod
    def resume(self, run_ids: Sequence[str]) -> None:
        """WAITING to QUEUED for those of these runs whose ready row the caller has locked."""

"""Journals of runs that left this worker to wait: one that comes back soon need not be read again."""

from collections import OrderedDict
from typing import NamedTuple

from runs.journal import Entry, Target

#: Entries and targets kept in all.
MOST = 20_000


class Recollection(NamedTuple):
    """What a run remembered when it left with this token."""

    token: str
    entries: list[Entry]
    targets: dict[str, Target]

    @property
    def open_targets(self) -> list[str]:
        """Those that may stand otherwise by now."""
        awaited = {entry.target for entry in self.entries if entry.target is not None}
        ended = {target.id for target in self.targets.values() if target.ended_at is not None}
        return sorted(awaited - ended)


class Recollections:
    """Those of the last runs that left, the oldest forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Recollection] = OrderedDict()
        self._size = 0

    def keep(self, run_id: str, left: Recollection) -> None:
        self.take(run_id)
        self._kept[run_id] = left
        self._size += len(left.entries)
        while self._size > MOST and self._kept:
            self._size -= len(self._kept.popitem(last=False)[1].entries)

    def take(self, run_id: str) -> Recollection | None:
        """What was kept of this run, which is forgotten with that."""
        found = self._kept.pop(run_id, None)
        if found is not None:
            self._size -= len(found.entries)
        return found


#: Of this process.
kept = Recollections()

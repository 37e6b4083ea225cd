"""What one process knows of the shapes its subscribers watch."""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from runs.reads.shapes import Shape, Version
from runs.reads.streams import Place

#: States of a feed that are known again when a subscriber comes back with one.
STATES = 500
#: A subscriber from elsewhere gets again what changed in the last moments before its state: clocks
#: differ, and a change carries the time before its commit.
OVERLAP = timedelta(seconds=60)
SUMS = 1 << 48
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


Watched = Shape | Place


class Offset(NamedTuple):
    """Where a subscriber stands: the newest change it has, and a sum over all versions it has.

    Never compared as numbers: the sum says exactly which state it is.
    """

    milliseconds: int
    state: int

    def __str__(self) -> str:
        return f"{self.milliseconds}_{self.state}"


class Feed:
    """A shape's runs as they were read last, and the order in which this process saw them change.

    That of a stream has one version: how many chunks there are, and whether it is over.
    """

    def __init__(self, shape: Watched) -> None:
        self.shape = shape
        self.versions: dict[str, Version] = {}
        #: When each version was first seen, counted in readings.
        self.seen: dict[str, int] = {}
        self.readings = 0
        #: The state after a reading -> its number.
        self.states: OrderedDict[int, int] = OrderedDict()
        self.offset = Offset(0, 0)
        #: Monotonic time at which nobody watched it any more; None while somebody does.
        self.left_at: float | None = None

    def take(self, versions: dict[str, Version]) -> bool:
        """Take over a reading; whether a run is new or changed."""
        self.readings += 1
        if versions == self.versions and self.states:
            return False
        before, total = self.versions, self.offset.state
        changed = [run_id for run_id, new in versions.items() if before.get(run_id) != new]
        gone = before.keys() - versions.keys()
        for run_id in gone:
            del self.seen[run_id]
        for run_id in changed:
            self.seen[run_id] = self.readings
            total += weight(run_id, versions[run_id])
        total -= sum(weight(one, before[one]) for one in {*gone, *changed} & before.keys())
        self.versions = versions
        if changed or gone or not self.states:
            self._note(total)
        return bool(changed)

    def _note(self, total: int) -> None:
        newest = max((one.updated_at for one in self.versions.values()), default=EPOCH)
        self.offset = Offset((newest - EPOCH) // timedelta(milliseconds=1), total % SUMS)
        self.states[self.offset.state] = self.readings
        self.states.move_to_end(self.offset.state)
        while len(self.states) > STATES:
            self.states.popitem(last=False)

    def knows(self, offset: Offset) -> bool:
        """Whether this process has seen the state a subscriber stands at."""
        return offset.state in self.states

    def news(self, offset: Offset | None) -> list[str]:
        """The runs that are new to a subscriber, oldest first; all of them to one that has none."""
        if offset is None:
            return sorted(self.versions)
        reading = self.states.get(offset.state)
        if reading is not None:
            return sorted(run_id for run_id, seen in self.seen.items() if seen > reading)
        if self.shape.run_id:  # it is the only one
            return list(self.versions)
        since = moment(offset.milliseconds) - OVERLAP
        return sorted(one for one, version in self.versions.items() if version.updated_at >= since)


def weight(run_id: str, version: Version) -> int:
    """What a version adds to the sum, the same in every process."""
    text = f"{run_id} {version.mark}".encode()
    return int.from_bytes(blake2b(text, digest_size=6).digest())


def moment(milliseconds: int) -> datetime:
    """A time from outside, as near as there are times."""
    latest = 253_402_300_000_000
    return EPOCH + timedelta(milliseconds=min(milliseconds, latest))

"""When things happen in the shop: its days, the versions of its code, its bad hours."""

from bisect import bisect_right
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from random import Random

from runs.ids import RANDOM_BITS, encode
from runs.reads.windows import EPOCH, MILLISECOND

#: How busy the hours of a day are (UTC); weekends are quieter, and business grows.
HOURS = (3, 2, 2, 2, 3, 5, 9, 14, 20, 24, 25, 23, 20, 22, 24, 23, 20, 17, 16, 18, 17, 12, 8, 5)
WEEKEND, GROWTH = 0.55, 1.4
HOUR = timedelta(hours=1)
#: Days between two versions.
RELEASE = 1.7
HOSTS = ("worker-1", "worker-2", "worker-3")


@dataclass(frozen=True, slots=True)
class Outage:
    """An hour in which most runs of a task fail for one reason."""

    begins: datetime
    ends: datetime
    task_id: str
    mishap: str


@dataclass(slots=True)
class World:
    """The time from `start` to `now`, and what is true when in it."""

    start: datetime
    now: datetime
    rng: Random
    releases: list[datetime] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    #: Of each version, the clusters that ran it: ids of their sessions.
    sessions: dict[str, list[str]] = field(default_factory=dict)
    outages: list[Outage] = field(default_factory=list)

    def __post_init__(self) -> None:
        at = self.start - HOUR
        while at < self.now:
            self.releases.append(at)
            self.versions.append(f"{self.rng.getrandbits(28):07x}")
            at += timedelta(days=RELEASE * self.rng.uniform(0.5, 1.5))
        for version in self.versions:
            self.sessions[version] = [self.new_id("worker", self.start) for _ in HOSTS]
        span = self.now - self.start
        for share, length, task, mishap in (
            (0.35, 1.2, "shop/charge-card", "gateway"),
            (0.72, 2.5, "shop/sync-customer", "ratelimit"),
            (0.97, 0.8, "shop/resize-image", "picture"),
        ):
            begins = self.start + span * share
            self.outages.append(Outage(begins, begins + HOUR * length, task, mishap))

    def with_rng(self, rng: Random) -> "World":
        """The same world, told by another chance."""
        other = copy(self)
        other.rng = rng
        return other

    def new_id(self, prefix: str, at: datetime) -> str:
        """An id as an object made at that moment has it."""
        milliseconds = (at - EPOCH) // MILLISECOND
        return f"{prefix}_{encode(milliseconds << RANDOM_BITS | self.rng.getrandbits(RANDOM_BITS))}"

    def version_at(self, moment: datetime) -> str:
        return self.versions[max(0, bisect_right(self.releases, moment) - 1)]

    def session_at(self, moment: datetime) -> str:
        return self.rng.choice(self.sessions[self.version_at(moment)])

    def outage_of(self, task_id: str, moment: datetime) -> Outage | None:
        for outage in self.outages:
            if outage.task_id == task_id and outage.begins <= moment < outage.ends:
                return outage
        return None

    def moments(self, count: int) -> Iterator[datetime]:
        """So many moments in rising order, more of them when the shop is busy."""
        hours = list(self._hours())
        totals = list(accumulate(self._weight(begin, end) for begin, end in hours))
        done = 0
        for (begin, end), total in zip(hours, totals, strict=True):
            until = round(count * total / totals[-1])
            length = end - begin
            for share in sorted(self.rng.random() for _ in range(until - done)):
                yield begin + length * share
            done = until

    def _hours(self) -> Iterator[tuple[datetime, datetime]]:
        first = self.start.replace(minute=0, second=0, microsecond=0) + HOUR
        marks = [self.start]
        while first < self.now:
            marks.append(first)
            first += HOUR
        yield from pairwise([*marks, self.now])

    def _weight(self, begin: datetime, end: datetime) -> float:
        busy = HOURS[begin.hour] * (WEEKEND if begin.weekday() >= 5 else 1.0)
        grown = 1 + (GROWTH - 1) * ((begin - self.start) / (self.now - self.start))
        return busy * grown * ((end - begin) / HOUR)

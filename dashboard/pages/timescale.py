"""Where a moment lies on a chart: stretches of time side by side, idle ones drawn narrow."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from dashboard import presenters
from runs.reads.intervals import Interval

#: Per cent of the width an idle stretch is drawn with, and how many are.
NARROW, MOST = 5.0, 6
#: An idle stretch is drawn narrow when it takes this share, or this long and more than it gets then.
SHARE, LONG, SHORTEST = 0.1, timedelta(seconds=60), timedelta(seconds=1)
#: Seconds between two ticks: 1, 2, 5 and what clocks are divided into.
STEPS = (
    *(digit * 10.0**power for power in range(-6, 1) for digit in (1, 2, 5)),
    *(10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0),
    *(86400.0, 172800.0, 604800.0, 2592000.0, 7776000.0, 31536000.0),
)
TICKS = 6
#: Per cent between two labels, and where the last one may stand: the end has its own.
APART, LAST = 8.0, 84.0


class Stretch(NamedTuple):
    """Seconds after the origin, and per cent of the width."""

    start: float
    end: float
    left: float
    right: float
    is_idle: bool

    @property
    def length(self) -> float:
        return self.end - self.start


STARTS = attrgetter("start")


class Tick(NamedTuple):
    """Where, and what is written there; empty for a line alone."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """From a moment to a place between 0 and 100."""

    #: Where seconds are counted from, mostly its start.
    origin: datetime
    stretches: tuple[Stretch, ...]
    #: Of moments that were asked for: each is for its bar, its label and more.
    _known: dict[datetime, float] = field(default_factory=dict, compare=False, repr=False)

    @property
    def start(self) -> datetime:
        return self.origin + timedelta(seconds=self.stretches[0].start)

    @property
    def end(self) -> datetime:
        return self.origin + timedelta(seconds=self.stretches[-1].end)

    @property
    def first(self) -> float:
        """Seconds after the origin at which it begins."""
        return self.stretches[0].start

    @property
    def last(self) -> float:
        return self.stretches[-1].end

    @property
    def seconds(self) -> float:
        return self.last - self.first

    @property
    def idle(self) -> list[Stretch]:
        return [one for one in self.stretches if one.is_idle]

    def at(self, moment: datetime) -> float:
        """Per cent; what lies outside is moved to the nearest edge."""
        place = self._known.get(moment)
        if place is None:
            place = self._known[moment] = self._at((moment - self.origin).total_seconds())
        return place

    def _at(self, seconds: float) -> float:
        index = bisect_right(self.stretches, seconds, key=STARTS) - 1
        start, end, left, right, _ = self.stretches[max(index, 0)]
        share = (seconds - start) / (end - start)
        return left + (right - left) * min(max(share, 0.0), 1.0)

    @property
    def ticks(self) -> list[Tick]:
        """Round moments; what is crowded has no label."""
        busy = sum(one.end - one.start for one in self.stretches if not one.is_idle)
        step = next((one for one in STEPS if busy / one <= TICKS), STEPS[-1])
        found: list[Tick] = []
        labelled, before = -APART, ""
        for place, seconds in self._round(step):
            text = tick_text(seconds, step)
            is_clear = place - labelled >= APART and place <= LAST and text != before
            found.append(Tick(percent(place), text if is_clear else ""))
            if is_clear:
                labelled, before = place, text
        return found

    def _round(self, step: float) -> Iterable[tuple[float, float]]:
        for one in self.stretches:
            if one.is_idle:
                continue
            number = -int(-one.start // step)
            while (seconds := number * step) < one.end:
                share = (seconds - one.start) / (one.end - one.start)
                yield one.left + share * (one.right - one.left), seconds
                number += 1


def scale(
    start: datetime, end: datetime, idle: Iterable[Interval] = (), origin: datetime | None = None
) -> Scale:
    """One from `start` to `end`; those of the `idle` stretches for which it pays are narrow."""
    length = max((end - start).total_seconds(), 1e-6)
    first = (start - (origin or start)).total_seconds()
    gaps = sorted(_narrowed(start, end, idle))
    cut = sum(stop - begin for begin, stop in gaps)
    if length - cut < 1e-3:
        gaps, cut = [], 0.0  # there is nothing it would make room for
    unit = (100.0 - NARROW * len(gaps)) / max(length - cut, 1e-9)
    found: list[Stretch] = []
    at, left = 0.0, 0.0
    for begin, stop in [*gaps, (length, length)]:
        if begin > at:
            right = min(left + (begin - at) * unit, 100.0)
            found.append(Stretch(first + at, first + begin, left, right, is_idle=False))
            left = right
        if stop > begin:
            found.append(Stretch(first + begin, first + stop, left, left + NARROW, is_idle=True))
            left += NARROW
        at = stop
    return Scale(origin or start, tuple(found))


def _narrowed(
    start: datetime, end: datetime, idle: Iterable[Interval]
) -> list[tuple[float, float]]:
    """The longest of them that lie within and are long enough, in seconds after the start."""
    within = [(max(begin, start), min(stop, end)) for begin, stop in idle]
    whole = end - start
    found = [
        (stop - begin, begin, stop)
        for begin, stop in within
        if stop - begin >= SHORTEST
        and (stop - begin > whole * SHARE or whole * NARROW / 100 < stop - begin > LONG)
    ]
    longest = sorted(found, reverse=True)[:MOST]
    return [
        ((begin - start).total_seconds(), (stop - start).total_seconds())
        for _, begin, stop in longest
    ]


def tick_text(seconds: float, step: float) -> str:
    """A round number of seconds."""
    if not seconds:
        return "0"
    if step < 0.001:
        return f"{seconds * 1000:g} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.6g} s" if seconds < 60 else presenters.duration_text(seconds)


def percent(place: float) -> str:
    """As an SVG attribute says it."""
    return f"{place:.2f}".rstrip("0").rstrip(".") + "%"

"""Times counted in 26 ranges that grow as people count time, from which percentiles are read."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
#: Milliseconds where one range ends and the next begins.
BOUNDS = (
    1, 2, 5, 10, 20, 50, 100, 200, 500,
    SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND,
    MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE,
    HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR,
    DAY, 7 * DAY,
)  # fmt: skip
SLOTS = len(BOUNDS) + 1
#: Where the last range, which has no end, is taken to end.
LAST = 30 * DAY
#: Counts by slot; what is not in it is 0.
Counts = dict[int, int]


def slot(milliseconds: float) -> int:
    """The range a time falls into."""
    return bisect_right(BOUNDS, milliseconds)


def ends(place: int) -> tuple[int, int]:
    """First and last millisecond of a range."""
    low = BOUNDS[place - 1] if place else 0
    return low, BOUNDS[place] if place < len(BOUNDS) else LAST


def add(into: Counts, more: Mapping[int, int]) -> None:
    for place, count in more.items():
        into[place] = into.get(place, 0) + count


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Milliseconds that `share` of all stay under; within a range they are taken to lie evenly on
    a logarithmic scale. None where nothing was counted.
    """
    whole = sum(counts.values())
    if not whole:
        return None
    wanted, passed = share * whole, 0.0
    for place in sorted(counts):
        if counts[place] and passed + counts[place] >= wanted:
            low, high = ends(place)
            part = (wanted - passed) / counts[place]
            return low + (high - low) * part if low == 0 else low * (high / low) ** part
        passed += counts[place]
    return float(ends(max(counts))[1])


def case(expression: str) -> str:
    """SQL of the slot of an expression of milliseconds; NULL where that is NULL."""
    whens = " ".join(f"WHEN {expression} < {bound} THEN {at}" for at, bound in enumerate(BOUNDS))
    return f"CASE WHEN {expression} IS NULL THEN NULL {whens} ELSE {SLOTS - 1} END"


def dump(counts: Mapping[int, int]) -> str:
    """Text for the database: "7:12 8:3", empty for none."""
    return " ".join(f"{place}:{counts[place]}" for place in sorted(counts) if counts[place])


def load(text: str) -> Counts:
    pairs = (part.split(":") for part in text.split())
    return {int(place): int(count) for place, count in pairs}


def total(several: Iterable[Mapping[int, int]]) -> Counts:
    whole: Counts = {}
    for one in several:
        add(whole, one)
    return whole

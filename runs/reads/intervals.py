"""Stretches of time, and what they have in common."""

from collections.abc import Iterable
from datetime import datetime, timedelta

#: Two moments.
Interval = tuple[datetime, datetime]


def union(some: Iterable[Interval]) -> list[Interval]:
    """The same moments by intervals that do not touch, in order."""
    found: list[Interval] = []
    for start, end in sorted(some):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > start:
            found.append((start, end))
    return found


def without(some: Iterable[Interval], cut: Iterable[Interval]) -> list[Interval]:
    """What is left of `some` where the moments of `cut` are taken out."""
    holes = union(cut)
    found: list[Interval] = []
    for first, end in union(some):
        start = first
        for begin, stop in holes:
            if stop <= start or begin >= end:
                continue
            if begin > start:
                found.append((start, begin))
            start = max(start, stop)
        if start < end:
            found.append((start, end))
    return found


def length(some: Iterable[Interval]) -> timedelta:
    """How long they are together."""
    return sum((end - start for start, end in some), timedelta())

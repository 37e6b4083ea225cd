"""How many runs of a list stand where, in all and over time: chips and a strip of bars above it."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from dashboard import clocks
from dashboard.pages import charts
from dashboard.pages.run_query import RunQuery
from dashboard.presenters import LOOKS, Look
from runs.reads.counts import WIDE_CAP
from runs.reads.deadline import deadline
from runs.reads.windows import floor_id, moment_of

PATIENCE = 0.5
#: Seconds an answer is good for.
REMEMBERED = 10
MOST_BARS = 60
STEPS = [
    timedelta(seconds=seconds)
    for seconds in (15, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 604800, 2592000)
]
#: Failures last, so that they stand on top.
TONES = (
    ("ok", "Completed"),
    ("parked", "Waiting"),
    ("active", "Running"),
    ("idle", "Queued or stopped"),
    ("warn", "Without a version"),
    ("bad", "Failed"),
)


@dataclass(frozen=True, slots=True)
class Count:
    """A status, how many stand there, and the list of them or, where it is that, of all."""

    look: Look
    number: int
    query: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """Ids and statuses of the newest runs, the oldest first."""

    ids: list[str]
    statuses: list[str]
    is_part: bool
    at: datetime


def sample(query: RunQuery, now: datetime) -> Sample:
    """Of all statuses, so that one may change between them. Raises TooSlow."""
    every = replace(query, status=())
    key = f"dashboard.strip.{sha256(every.encode().encode()).hexdigest()[:32]}"
    found: Sample | None = cache.get(key)
    if found is None:
        with deadline(PATIENCE):
            runs = every.filter(now).runs().order_by("-id").values_list("id", "status")
            rows = list(runs[: WIDE_CAP + 1])[::-1]
        is_part = len(rows) > WIDE_CAP
        rows = rows[is_part:]
        found = Sample([row[0] for row in rows], [row[1] for row in rows], is_part, now)
        cache.set(key, found, REMEMBERED)
    return found


def counts(query: RunQuery, found: Sample) -> list[Count]:
    numbers = Counter(found.statuses)
    chips = []
    for status, look in LOOKS.items():
        chosen = status in query.status
        if numbers[status] or chosen:
            other = () if chosen and len(query.status) == 1 else (str(status),)
            address = replace(query, status=other).encode()
            chips.append(Count(look, numbers[status], address, chosen))
    return chips


def strip(query: RunQuery, found: Sample, now: datetime) -> charts.Chart | None:
    """Runs by the time they were made; None for nothing or a moment."""
    start, end = _window(query, found, now)
    if not found.ids or end - start < STEPS[0]:
        return None
    step = next((one for one in STEPS if (end - start) / one <= MOST_BARS), STEPS[-1])
    edges = _edges(start, end, step)
    places = [bisect_left(found.ids, floor_id("run", edge)) for edge in edges]
    per_bar = [
        Counter(LOOKS[status].tone for status in _wanted(query, found.statuses[low:high]))
        for low, high in pairwise(places)
    ]
    series = [charts.Series(word, tone) for tone, word in TONES if any(b[tone] for b in per_bar)]
    buckets = [
        charts.Bucket(
            _label(edge, step),
            tuple(float(bar[one.tone]) for one in series),
            href=f"?{_between(query, edge, edge + step)}",
            is_partial=edge + step > now,
        )
        for edge, bar in zip(edges, per_bar, strict=False)
    ]
    note = f"of the newest {WIDE_CAP:,}" if found.is_part else ""
    return charts.stacked("runs", "Runs made", series, buckets, note=note)


def _wanted(query: RunQuery, statuses: Sequence[str]) -> Sequence[str]:
    return [one for one in statuses if one in query.status] if query.status else statuses


def _window(query: RunQuery, found: Sample, now: datetime) -> tuple[datetime, datetime]:
    start, end = query.window(now)
    first = moment_of(found.ids[0]) if found.ids else now
    if start is None or (found.is_part and first > start):
        start = first
    return start, min(end or now, now)


def _edges(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """Where bars begin and the last one ends: full steps of the clock on the wall."""
    local = timezone.localtime(start)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    edge = midnight + (local - midnight) // step * step
    found = [edge]
    while found[-1] < end:
        found.append(found[-1] + step)
    return found


def _label(edge: datetime, step: timedelta) -> str:
    local, clock = timezone.localtime(edge), clocks.current()
    if step >= timedelta(days=1):
        return f"{local:%-d %b}"
    if step >= timedelta(minutes=15):
        return f"{local:%-d %b} {clock.time(local, seconds=False)}"
    return clock.time(local, seconds=step < timedelta(minutes=1))


def _between(query: RunQuery, start: datetime, end: datetime) -> str:
    more: tuple[Any, ...] = query.with_period(query.period).more
    return replace(query, start=start, end=end, more=more).encode()

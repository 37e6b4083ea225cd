"""What runs came to over time: from rollups, and from the runs that are in none yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.cache import cache
from django.db import connection
from django.db.models import QuerySet

from runs import histograms
from runs.models import Depth, Facet, Rollup, RollupMark, Step, Total
from runs.models.rollup import NEVER_YET
from runs.reads.tally import COLUMNS, LENGTHS, Tallies, Tally, tally
from runs.reads.windows import floor_id

#: Runs that are counted while somebody waits; with more, a page says how far it is counted.
MOST = 50_000
#: Seconds what was counted is good for.
REMEMBERED = 3
#: Up to this length times are put together from minutes.
BY_MINUTE = timedelta(hours=6)
READ = ("name", "at", "durations", "waits")
#: A time and what runs came to in it.
Timed = tuple[datetime, Tally]


@dataclass(frozen=True, slots=True)
class Tail:
    """Runs that no rollup has. When they are too many, what is known ends at `until`."""

    until: datetime
    tallies: Tallies
    is_behind: bool = False

    def of(self, facet: Facet, name: str | None) -> Iterator[tuple[str, datetime, Tally]]:
        for (its_facet, its_name, at), one in self.tallies.items():
            if its_facet == facet and name in (None, its_name):
                yield its_name, at, one


def tail(now: datetime) -> Tail:
    """To be asked once for a page."""
    until = RollupMark.objects.order_by("pk").values_list("until", flat=True).first() or NEVER_YET
    end = _ceiling(now)
    # by the mark: counts that were made before it moved would be in the rollups as well
    key = f"runs.tail.{until.timestamp():.0f}.{end.timestamp():.0f}"
    known: Tail | None = cache.get(key)
    if known is None:
        known = _counted(until, end)
        cache.set(key, known, REMEMBERED)
    return known


def _counted(until: datetime, end: datetime) -> Tail:
    if _is_much(until):
        return Tail(until, {}, is_behind=True)
    return Tail(until, tally(until, end, Step.MINUTE) if until < end else {})


MUCH = """
SELECT EXISTS (SELECT 1 FROM runs_run WHERE finished_at >= %s LIMIT 1 OFFSET {most})
    OR EXISTS (SELECT 1 FROM runs_run WHERE id >= %s LIMIT 1 OFFSET {most})
"""


def _is_much(until: datetime) -> bool:
    """Whether more than MOST runs ended or were made since then."""
    since = connection.ops.adapt_datetimefield_value(until)
    with connection.cursor() as cursor:
        cursor.execute(MUCH.format(most=MOST), [since, floor_id("run", until)])
        return bool(cursor.fetchone()[0])


def over_time(facet: Facet, name: str, start: datetime, step: Step, rest: Tail) -> list[Timed]:
    """Of one name, the oldest first; the last ones may be shorter than the step."""
    rows = _rows(facet, step, start).filter(name=name).order_by("at")
    found = [(at, one) for _, at, one in _read(rows)]
    return found + [(at, one) for _, at, one in rest.of(facet, name) if at >= start]


def each_over_time(facet: Facet, start: datetime, step: Step, rest: Tail) -> dict[str, list[Timed]]:
    """Of all names."""
    found: dict[str, list[Timed]] = {}
    for name, at, one in _read(_rows(facet, step, start)):
        found.setdefault(name, []).append((at, one))
    for name, at, one in rest.of(facet, None):
        if at >= start:
            found.setdefault(name, []).append((at, one))
    return found


def each(facet: Facet, start: datetime, now: datetime, rest: Tail) -> dict[str, Tally]:
    """All of a time together, by name. A start that is no full hour is exact for short times alone."""
    found: dict[str, Tally] = {}
    for step, first, last in stretches(start, now, rest.until):
        for name, _, one in _read(_rows(facet, step, first).filter(at__lt=last)):
            found.setdefault(name, Tally()).add(one)
    for name, at, one in rest.of(facet, None):
        if at >= start:
            found.setdefault(name, Tally()).add(one)
    return found


def stretches(
    start: datetime, now: datetime, until: datetime
) -> Iterator[tuple[Step, datetime, datetime]]:
    """The rows that make up a time: days where they are whole and over, hours around them."""
    if now - start <= BY_MINUTE:
        yield Step.MINUTE, start, now
        return
    first = _midnight(start + LENGTHS[Step.DAY] - timedelta(microseconds=1))
    last = _midnight(min(now, until))
    if first >= last:
        yield Step.HOUR, start, now
        return
    yield Step.HOUR, start, first
    yield Step.DAY, first, last
    yield Step.HOUR, last, now


def whole(several: Iterable[Timed]) -> Tally:
    """All of them together."""
    found = Tally()
    for _, one in several:
        found.add(one)
    return found


def depths(queue: str, start: datetime) -> list[Depth]:
    """How full a queue was, minute by minute; "" is all of them."""
    return list(Depth.objects.filter(queue=queue, at__gte=start).order_by("at"))


def tally_of(row: Rollup | Total) -> Tally:
    counts = {column: number for column in COLUMNS if (number := getattr(row, column))}
    return Tally(counts, histograms.load(row.durations), histograms.load(row.waits))


def _rows(facet: Facet, step: Step, start: datetime) -> QuerySet[Rollup]:
    return Rollup.objects.filter(step=step, facet=facet, at__gte=start)


def _read(rows: QuerySet[Rollup]) -> Iterator[tuple[str, datetime, Tally]]:
    """Plain values: there may be thousands."""
    for name, at, durations, waits, *numbers in rows.values_list(*READ, *COLUMNS):
        counts = {column: number for column, number in zip(COLUMNS, numbers, strict=True) if number}
        yield name, at, Tally(counts, histograms.load(durations), histograms.load(waits))


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _ceiling(now: datetime) -> datetime:
    minute = LENGTHS[Step.MINUTE]
    return now.replace(second=0, microsecond=0) + minute

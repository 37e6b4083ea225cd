"""Counting what runs came to, from the runs themselves: for rollups, and for what none has yet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db import connection

from runs import histograms
from runs.histograms import Counts
from runs.models import Facet, Step
from runs.reads.windows import floor_id
from runs.states import RunStatus

K = TypeVar("K")
SECOND = timedelta(seconds=1)
LENGTHS = {
    Step.MINUTE: timedelta(minutes=1),
    Step.HOUR: timedelta(hours=1),
    Step.DAY: timedelta(days=1),
}
#: Columns of a rollup that count runs by how they ended.
ENDINGS = {
    RunStatus.COMPLETED: "completed",
    RunStatus.FAILED: "failed",
    RunStatus.CRASHED: "crashed",
    RunStatus.TIMED_OUT: "timed_out",
    RunStatus.SYSTEM_FAILURE: "system_failure",
    RunStatus.EXPIRED: "expired",
    RunStatus.CANCELED: "canceled",
}
BAD = ("failed", "crashed", "timed_out", "system_failure", "expired")
COLUMNS = ("triggered", *ENDINGS.values(), "recovered", "attempts")


@dataclass(slots=True)
class Tally:
    """What runs came to."""

    counts: dict[str, int] = field(default_factory=dict)
    durations: Counts = field(default_factory=dict)
    waits: Counts = field(default_factory=dict)

    def of(self, column: str) -> int:
        return self.counts.get(column, 0)

    def count(self, column: str, number: int = 1) -> None:
        self.counts[column] = self.counts.get(column, 0) + number

    def add(self, other: "Tally") -> None:
        for column, number in other.counts.items():
            self.count(column, number)
        histograms.add(self.durations, other.durations)
        histograms.add(self.waits, other.waits)

    def beyond(self, other: "Tally") -> "Tally":
        """What it has more than another one."""
        return Tally(
            _more(self.counts, other.counts),
            _more(self.durations, other.durations),
            _more(self.waits, other.waits),
        )

    @property
    def triggered(self) -> int:
        return self.of("triggered")

    @property
    def completed(self) -> int:
        return self.of("completed")

    @property
    def recovered(self) -> int:
        return self.of("recovered")

    @property
    def canceled(self) -> int:
        return self.of("canceled")

    @property
    def bad(self) -> int:
        """Ended without success, canceled ones aside."""
        return sum(self.of(column) for column in BAD)

    @property
    def ended(self) -> int:
        return self.completed + self.bad + self.canceled

    @property
    def failure_rate(self) -> float | None:
        """Failed of those that ended by themselves; None when none did."""
        by_itself = self.completed + self.bad
        return self.bad / by_itself if by_itself else None

    @property
    def flaky_rate(self) -> float | None:
        """Of those that completed, how many needed more than one try."""
        return self.recovered / self.completed if self.completed else None

    def duration(self, share: float) -> float | None:
        """Seconds that this share of the runs stayed under."""
        return _seconds(histograms.quantile(self.durations, share))

    def wait(self, share: float) -> float | None:
        return _seconds(histograms.quantile(self.waits, share))

    @property
    def facts(self) -> tuple[Any, ...]:
        """For tokens of pages."""
        return tuple(sorted(self.counts.items()))


def _more(mine: Mapping[K, int], theirs: Mapping[K, int]) -> dict[K, int]:
    return {key: more for key, count in mine.items() if (more := count - theirs.get(key, 0)) > 0}


#: Of one facet, name and time.
Key = tuple[str, str, datetime]
Tallies = dict[Key, Tally]


def tally(start: datetime, end: datetime, step: Step) -> Tallies:
    """Runs that ended or were made from `start` to `end`, by facet, name and time."""
    found: Tallies = {}
    for number, task_id, queue, version, *rest in _ended(start, end, step):
        for key in _keys(task_id, queue, version, _at(number, step)):
            _put(found.setdefault(key, Tally()), *rest)
    for number, task_id, queue, count in _made(start, end, step):
        # an id may say another minute than the row when many were made at once
        at = min(max(_at(number, step), start), end - LENGTHS[step])
        for key in _keys(task_id, queue, "", at):
            found.setdefault(key, Tally()).count("triggered", count)
    return found


def _put(  # a row of ENDED
    one: Tally,
    status: str,
    recovered: bool,
    took: int | None,
    waited: int | None,
    count: int,
    attempts: int,
) -> None:
    one.count(ENDINGS[RunStatus(status)], count)
    if attempts:
        one.count("attempts", int(attempts))
    if recovered:
        one.count("recovered", count)
    if took is not None:
        histograms.add(one.durations, {took: count})
    if waited is not None:
        histograms.add(one.waits, {waited: count})


def _keys(task_id: str, queue: str, version: str, at: datetime) -> Iterable[Key]:
    yield Facet.ALL, "", at
    yield Facet.TASK, task_id, at
    yield Facet.QUEUE, queue, at
    if version:
        yield Facet.VERSION, version, at


def _at(number: int, step: Step) -> datetime:
    return datetime.fromtimestamp(number * LENGTHS[step].total_seconds(), UTC)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


# -- SQL ------------------------------------------------------------------------------------------

#: How a database says: the number of the step since 1970 a moment lies in, milliseconds between two.
DIALECTS = {
    "postgresql": (
        "CAST(floor(extract(epoch FROM {0}) / {1}) AS BIGINT)",
        "extract(epoch FROM {1} - {0}) * 1000",
    ),
    "sqlite": (
        "CAST(strftime('%%s', {0}) AS INTEGER) / {1}",
        "round((julianday({1}) - julianday({0})) * 86400000.0)",
    ),
}
ENDED = """
SELECT number, task_id, queue, version, status, recovered, {took}, {waited}, count(*), sum(attempts)
  FROM (SELECT {number} AS number, task_id, queue, version, status, attempt_number AS attempts,
               status = 'COMPLETED' AND attempt_number - uncounted_attempts > 1 AS recovered,
               {duration} AS took, {wait} AS waited
          FROM runs_run WHERE finished_at >= %s AND finished_at < %s) AS ended
 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""
MADE = """
SELECT {number} AS number, task_id, queue, count(*) FROM runs_run WHERE id >= %s AND id < %s GROUP BY 1, 2, 3
"""


def _ended(start: datetime, end: datetime, step: Step) -> list[tuple[Any, ...]]:
    number, between = DIALECTS[connection.vendor]
    text = ENDED.format(
        number=number.format("finished_at", LENGTHS[step] // SECOND),
        duration=between.format("started_at", "finished_at"),
        wait=between.format("queued_at", "started_at"),
        took=histograms.case("took"),
        waited=histograms.case("waited"),
    )
    return _rows(text, [start, end])


def _made(start: datetime, end: datetime, step: Step) -> list[tuple[Any, ...]]:
    number = DIALECTS[connection.vendor][0].format("created_at", LENGTHS[step] // SECOND)
    text = MADE.format(number=number)
    return _rows(text, [floor_id("run", start), floor_id("run", end)])


def _rows(text: str, values: list[Any]) -> list[tuple[Any, ...]]:
    adapt = connection.ops.adapt_datetimefield_value
    given = [adapt(value) if isinstance(value, datetime) else value for value in values]
    with connection.cursor() as cursor:
        cursor.execute(text, given)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def ended_between(start: datetime, end: datetime) -> int:
    """How many runs ended in this time."""
    text = "SELECT count(*) FROM runs_run WHERE finished_at >= %s AND finished_at < %s"
    return int(_rows(text, [start, end])[0][0])


def made_between(start: datetime, end: datetime) -> int:
    text = "SELECT count(*) FROM runs_run WHERE id >= %s AND id < %s"
    return int(_rows(text, [floor_id("run", start), floor_id("run", end)])[0][0])

"""The last 24 hours of every task, from rollups, as the first page shows them."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache

from dashboard.pages import timeaxis
from dashboard.pages.bars import bars
from runs.models import Facet, Step
from runs.reads import rollups
from runs.reads.tally import Tally

REMEMBERED = 15


@dataclass(frozen=True, slots=True)
class Day:
    """What is shown of a task's last 24 hours."""

    completed: int = 0
    failed: int = 0
    ended: int = 0
    failure_rate: float | None = None
    p50: float | None = None
    p95: float | None = None
    peak: int = 0
    #: (tone, path) of each colour of the bars.
    bars: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Days:
    """Of all tasks; `until` is how far runs are counted where that is not until now."""

    tasks: dict[str, Day]
    until: datetime | None = None


def days(now: datetime) -> Days:
    """Counted and drawn at most every REMEMBERED seconds."""
    known: Days | None = cache.get("dashboard.days")
    if known is None:
        known = _days(now)
        cache.set("dashboard.days", known, REMEMBERED)
    return known


def _days(now: datetime) -> Days:
    axis, rest = timeaxis.axis("24h", now), rollups.tail(now)
    found = rollups.each_over_time(Facet.TASK, axis.start, Step.HOUR, rest)
    tasks = {task_id: _day(axis.spread(timed)) for task_id, timed in found.items()}
    return Days(tasks, rest.until if rest.is_behind else None)


def _day(hours: list[Tally]) -> Day:
    whole = Tally()
    for hour in hours:
        whole.add(hour)
    return Day(
        completed=whole.completed,
        failed=whole.bad,
        ended=whole.ended,
        failure_rate=whole.failure_rate,
        p50=whole.duration(0.5),
        p95=whole.duration(0.95),
        peak=max(hour.ended for hour in hours),
        bars=bars(hours),
    )

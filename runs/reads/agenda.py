"""What schedules do next, all together, and how many of their fires were made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import F, Q, Sum, Window
from django.db.models.functions import RowNumber

from runs.errors import InvalidOption
from runs.models import Schedule, ScheduleTick, TickOutcome

#: Fires listed one by one for one schedule, and for all; a livelier one is told in one line.
EACH, ALL = 24, 300
#: Schedules looked at, the next to fire first, and fires counted of one.
LOOKED_AT, COUNTED = 500, 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A fire to come; `count` of them until `until` where they come too often to be listed."""

    at: datetime
    schedule: Schedule
    count: int = 1
    until: datetime | None = None


def agenda(now: datetime, until: datetime) -> tuple[list[Entry], bool]:
    """The fires of all active schedules, in order; whether there are more than are told."""
    rows = Schedule.objects.filter(active=True, next_at__lte=until).order_by("next_at", "pk")
    found = list(rows[: LOOKED_AT + 1])
    entries = [entry for row in found[:LOOKED_AT] for entry in _entries(row, now, until)]
    entries.sort(key=lambda entry: (entry.at, entry.schedule.task_id))
    return entries[:ALL], len(found) > LOOKED_AT or len(entries) > ALL


def _entries(row: Schedule, now: datetime, until: datetime) -> list[Entry]:
    try:
        fires = list(islice(row.clock.between(now, until), COUNTED))
    except InvalidOption:
        return []  # its zone is gone; its own page says so
    if len(fires) > EACH:
        return [Entry(fires[0], row, len(fires), fires[-1])]
    return [Entry(at, row) for at in fires]


def last_ticks(ids: Sequence[str], count: int) -> dict[str, list[ScheduleTick]]:
    """The last ones of each of these schedules, the oldest first."""
    newest = Window(RowNumber(), partition_by=[F("schedule_id")], order_by=[F("at").desc()])
    ticks = ScheduleTick.objects.filter(schedule_id__in=ids).annotate(place=newest)
    found: dict[str, list[ScheduleTick]] = {schedule_id: [] for schedule_id in ids}
    for tick in ticks.filter(place__lte=count).order_by("at"):
        found[tick.schedule_id].append(tick)
    return found


@dataclass(frozen=True, slots=True)
class Account:
    """The fires of a stretch of time: how many there should have been, and what became of them."""

    since: datetime
    expected: int
    outcomes: dict[str, int]

    @property
    def unaccounted(self) -> int:
        """Fires nothing is known of: the schedule was off, or another one, at the time."""
        told = sum(self.outcomes.get(one, 0) for one in set(TickOutcome) - {TickOutcome.BY_HAND})
        return max(self.expected - told, 0)


def account(row: Schedule, now: datetime, length: timedelta) -> Account | None:
    """None for a schedule whose time zone is gone."""
    since = max(now - length, row.created_at)
    try:
        expected = sum(1 for _ in islice(row.clock.between(since, now), COUNTED))
    except InvalidOption:
        return None
    ticks = ScheduleTick.objects.filter(Q(at__gt=since) | Q(until__gt=since), schedule=row)
    found = ticks.values_list("outcome").annotate(fires=Sum("count")).order_by()
    return Account(since, expected, dict(found))

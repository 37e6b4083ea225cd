"""Cron expressions in time zones: which moments they name. Pure: no database and no clock.

Five fields as in crontab(5), with names, lists, ranges, steps, `L` (last day, `5L` last Friday), `LW`
(last weekday), `MON#1` (first Monday) and the macros below. cronsim walks the calendar; what a change of
the clocks does is decided here, because cronsim's own answer is wrong for changes of half an hour:

- An expression of fixed times (neither its minute nor its hour begins with `*`) fires once for each of its
  times: a time that is skipped fires when the clocks have jumped, a repeated one the first time only.
- Any other one fires whenever the clock shows a matching time: not in what is skipped, twice in what is
  repeated.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from heapq import heappop, heappush
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from runs.errors import InvalidOption

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
FIELDS = 5
LONGEST = 200
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
#: Where the search for a first fire begins when an expression is read.
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
EXAMPLE = "for example “0 5 * * MON-FRI”"


@cache
def zone_names() -> frozenset[str]:
    """Every IANA time zone this machine knows."""
    return frozenset(available_timezones() - {"localtime", "Factory"} | {"UTC"})


def zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises InvalidOption."""
    if name not in zone_names():
        raise InvalidOption(
            "timezone",
            f"timezone is a name like “Europe/Zurich” or “UTC”; there is no {name[:60]!r}.",
        )
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class Change:
    """Clocks are set, at `at`: they showed `before` and show `after`."""

    at: datetime
    before: datetime
    after: datetime

    @property
    def is_forward(self) -> bool:
        return self.after > self.before


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression in a time zone. Make one by `parse`; all moments are in UTC."""

    expression: str
    timezone: str
    #: The expression with macros replaced.
    pattern: str

    def fires(self, after: datetime) -> Iterator[datetime]:
        """The moments after `after`, in order, each once."""
        last, waiting = after.astimezone(UTC), list[datetime]()
        for wall in CronSim(self.pattern, self._start(last)):
            moments = self._moments(wall)
            for moment in moments:
                heappush(waiting, moment)
            # no later wall time comes first before this one does
            while moments and waiting and waiting[0] <= moments[0]:
                if (moment := heappop(waiting)) > last:
                    last = moment
                    yield moment
        yield from sorted({moment for moment in waiting if moment > last})

    def next(self, after: datetime) -> datetime | None:
        """The first moment after `after`; None when there is none within 50 years."""
        return next(self.fires(after), None)

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        return list(islice(self.fires(after), count))

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The moments after `after` and not after `until`, in order."""
        return takewhile(lambda moment: moment <= until, self.fires(after))

    def latest(self, after: datetime, until: datetime, count: int) -> list[datetime]:
        """The last `count` moments of `between`, without walking through all of them."""
        span = MINUTE * count
        while True:
            start = max(after, until - span)
            found = deque(self.between(start, until), maxlen=count)
            if len(found) == count or start == after:
                return list(found)
            span *= 4

    def nominal(self, at: datetime) -> datetime:
        """The time its expression names, for one of its moments."""
        return at

    @property
    def plain(self) -> "Cron":
        """The clock of the expression alone."""
        return self

    @property
    def is_fixed(self) -> bool:
        """Whether it names times of day, rather than a rhythm."""
        minute, hour = self.pattern.split()[:2]
        return not minute.startswith("*") and not hour.startswith("*")

    @property
    def sentence(self) -> str:
        """What it says, in words."""
        words = CronSim(self.pattern, EPOCH).explain()
        return words if self.timezone == "UTC" else f"{words}, {self.timezone} time"

    def notes(self, after: datetime) -> list[str]:
        """What the changes of the clocks within a year do to times of day it names."""
        if self.pattern.split()[1].startswith("*"):
            return []
        return [note for change in self._changes(after) if (note := self._note(change))]

    def _start(self, after: datetime) -> datetime:
        """The wall clock at `after`; a day earlier where times may come a second time."""
        zone = ZoneInfo(self.timezone)
        wall = after.astimezone(zone).replace(tzinfo=None, fold=0)
        changes = _offset(after - DAY, zone) != _offset(after + DAY, zone)
        return wall - DAY if changes else wall

    def _moments(self, wall: datetime) -> list[datetime]:
        """When the clock on the wall shows `wall`, by the rule of the module."""
        zone = ZoneInfo(self.timezone)
        if _is_skipped(wall, zone):
            while self.is_fixed and _is_skipped(wall, zone):
                wall += MINUTE
            return [_first(wall, zone)] if self.is_fixed else []
        first, second = _first(wall, zone), wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
        return [first] if self.is_fixed or first == second else [first, second]

    def _changes(self, after: datetime) -> Iterator[Change]:
        zone = ZoneInfo(self.timezone)
        day = after.astimezone(UTC).replace(second=0, microsecond=0)
        for start in (day + DAY * number for number in range(366)):
            if _offset(start, zone) != _offset(start + DAY, zone):
                yield _change(start, start + DAY, zone)

    def _note(self, change: Change) -> str:
        low, high = sorted((change.before, change.after))
        walls = CronSim(self.pattern, low - timedelta(seconds=1))
        wall = next(walls, None)
        if wall is None or wall >= high:
            return ""
        hours = f"{low:%-d %B %Y}, {low:%H:%M} to {high:%H:%M}"
        if not change.is_forward:
            times = "the first time only" if self.is_fixed else "both times"
            return f"The clocks repeat {hours}: it fires {times}."
        if not self.is_fixed:
            return f"The clocks skip {hours}: it does not fire then."
        return f"The clocks skip {hours}: it fires at {high:%H:%M} instead of {wall:%H:%M}."


@lru_cache(4096)
def parse(expression: str, timezone: str = "UTC") -> Cron:
    """Read an expression. Raises InvalidOption for one that cannot be read or never fires."""
    text = " ".join(expression.split())
    zone(timezone)
    found = Cron(text, timezone, _pattern(text))
    try:
        if found.next(EPOCH) is None:
            raise InvalidOption("cron", f"cron {text!r} never fires: no day of the calendar fits.")
    except CronSimError as error:
        raise InvalidOption("cron", f"cron {text!r} cannot be read: {_problem(error)}.") from None
    return found


def _pattern(text: str) -> str:
    if text.startswith("@"):
        if text.lower() not in MACROS:
            raise InvalidOption("cron", f"cron knows {', '.join(MACROS)}; not {text[:60]!r}.")
        return MACROS[text.lower()]
    if not 0 < len(text) <= LONGEST or not text.isascii():
        raise InvalidOption(
            "cron", f"cron is 1 to {LONGEST} plain characters, {EXAMPLE}; got {text[:60]!r}."
        )
    if (count := len(text.split())) != FIELDS:
        seconds = " Seconds are not allowed." if count > FIELDS else ""
        raise InvalidOption(
            "cron",
            f"cron has {FIELDS} fields (minute, hour, day, month, weekday), {EXAMPLE}; got {count}."
            f"{seconds}",
        )
    return text


#: What the fields may hold, for people.
RANGES = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, L or LW",
    "month": "1 to 12 or JAN to DEC",
    "day-of-week": "0 to 7 or SUN to SAT",
}


def _problem(error: CronSimError) -> str:
    field = str(error).removeprefix("Bad ")
    if field == "day-of-month":
        return "the day is 1 to 31, L or LW, and one of its months must have it"
    return f"the {field} is {RANGES.get(field, 'wrong')}, with lists, ranges and steps"


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _first(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _is_skipped(wall: datetime, zone: ZoneInfo) -> bool:
    return _first(wall, zone).astimezone(zone).replace(tzinfo=None) != wall


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> Change:
    """The minute between `low` and `high` at which the clocks are set."""
    offset = _offset(low, zone)
    while high - low > MINUTE:
        middle = low + MINUTE * ((high - low) // MINUTE // 2)
        low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
    after = high.astimezone(zone).replace(tzinfo=None)
    before = (high - MINUTE).astimezone(zone).replace(tzinfo=None) + MINUTE
    return Change(high, before, after)

"""How many runs of a queue may start in a time: pure maths, the same as in `runs/sql/postgresql/rate.sql`.

The generic cell rate algorithm: at an even pace of `interval` each start has its time, and `arrival` is
that of the next one. A start may come before its time by as many intervals as the burst allows.
Moments and intervals are whole microseconds.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from runs.durations import UNITS, seconds
from runs.errors import InvalidOption

MAX_LIMIT = 100_000
#: Longest period, in seconds.
LONGEST = 366 * 86400.0
SECOND = 1_000_000
NAME = "rate_limit"
FORMS = '“100/1m” (100 in a minute), “100/1m burst 10” or RateLimit(100, per="1m", burst=10)'
TEXT = re.compile(r"(\d[\d_]*)\s*/\s*(\w+)(?:\s+burst\s+(\d+))?", re.ASCII)
KEYS = {"limit", "per", "burst"}
WORDS = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` starts in any `per`, one by one at an even pace.

    With a `burst` above 1 so many may start at once after a pause; then it is at most
    `limit + burst - 1` in any `per`.

    Example:
        queue("mail", rate_limit=RateLimit(100, per="1m", burst=10))
    """

    limit: int
    per: float | str | timedelta
    burst: int = 1

    def __post_init__(self) -> None:
        _check_whole("limit", self.limit, MAX_LIMIT)
        object.__setattr__(self, "per", _period(self.per))
        _check_whole("burst", self.burst, self.limit)

    @property
    def period(self) -> float:
        """`per` in seconds."""
        return float(self.per)  # type: ignore[arg-type]  # a number once it was checked

    @property
    def interval(self) -> int:
        """Microseconds from one start to the next, rounded up so that there are never too many."""
        return math.ceil(self.period * SECOND / self.limit)

    @property
    def text(self) -> str:
        """As `parse` reads it."""
        burst = f" burst {self.burst}" if self.burst > 1 else ""
        return f"{self.limit}/{duration(self.period)}{burst}"

    @property
    def sentence(self) -> str:
        """As people say it: "100 per minute"."""
        burst = f", {self.burst} at once" if self.burst > 1 else ""
        return f"{self.limit:,} per {WORDS.get(int(self.period)) or duration(self.period)}{burst}"


def as_rate(value: object, option: str = NAME) -> RateLimit | None:
    """The rate that is meant: an object, text, or a dict; None and "" are no rate.

    Raises InvalidOption, naming `option`.
    """
    if value is None or value == "" or isinstance(value, RateLimit):
        return value or None  # type: ignore[return-value]  # "" and None are the only others
    try:
        return _read(value)
    except InvalidOption as error:
        raise InvalidOption(option, str(error)) from error


def _read(value: object) -> RateLimit:
    if isinstance(value, str) and (found := TEXT.fullmatch(value.strip())):
        limit, per, burst = found.groups()
        return RateLimit(int(limit), f"1{per}" if per in UNITS else per, int(burst or 1))
    if isinstance(value, Mapping) and {"limit", "per"} <= set(value) <= KEYS:
        options: dict[str, Any] = dict(value)
        return RateLimit(**options)
    raise InvalidOption(NAME, f"{NAME} is written {FORMS}; got {value!r:.60}.")


def _check_whole(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        note = ""
        if value == 0 and name == "limit":
            note = " To let nothing start, pause the queue or set concurrency_limit=0."
        raise InvalidOption(
            NAME,
            f"{NAME}: {name} must be a whole number from 1 to {most:,}; got {value!r:.60}.{note}",
        )


def _period(value: object) -> float:
    found: float | None
    try:
        found = seconds(value, "per")
    except InvalidOption:
        found = None
    if found is None or not 1 <= found <= LONGEST or found != int(found):
        raise InvalidOption(
            NAME,
            f"{NAME}: per must be 1 second to 366 days, in whole seconds, as a number, a timedelta or text like “1m”; "
            f"got {value!r:.60}.",
        )
    return found


def duration(period: float) -> str:
    """Whole seconds as `durations.seconds` reads them."""
    for unit in ("d", "h", "m"):
        if period % UNITS[unit] == 0:
            return f"{int(period) // UNITS[unit]}{unit}"
    return f"{int(period)}s"


class Pace(NamedTuple):
    """A rate as claims go by it."""

    interval: int
    burst: int

    @property
    def lead(self) -> int:
        """How long before its time a start may come."""
        return (self.burst - 1) * self.interval

    def bounded(self, arrival: int, now: int) -> int:
        """`arrival` as far ahead as this pace can have put it: a faster one or a set-back clock had it further."""
        return min(arrival, now + self.burst * self.interval)

    def opens(self, arrival: int, now: int) -> int:
        """When one more may start; `now` or earlier: at once."""
        return self.bounded(arrival, now) - self.lead

    def after(self, arrival: int, now: int) -> int:
        """The arrival after a start at `now`."""
        return max(self.bounded(arrival, now), now) + self.interval

    def left(self, arrival: int, now: int) -> int:
        """How many may start at once now."""
        ahead = max(self.bounded(arrival, now) - now, 0)
        return max((self.burst * self.interval - ahead) // self.interval, 0)

"""Fires within a window after their time, so that many schedules of one expression do not come at once (SC-11).

A window is text: a duration up to a day ("30m"), or a part of the time until the next fire ("50%"). Where
in the window a schedule fires follows from its id alone, so its fires keep their distance.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from runs import durations
from runs.cron import DAY, Cron
from runs.errors import InvalidOption

PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)\s*%", re.ASCII)
INSTANT = timedelta(microseconds=1)
#: No expression pauses for longer than from one 29 February to another, over a turn of the century.
LOOK_BACK = 3000 * DAY
LONGEST = 16


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds, or a share of the time until the next fire."""

    seconds: float = 0.0
    share: float = 0.0


def window(text: str) -> Window | None:
    """What the text says; None for the empty one. Raises InvalidOption."""
    if not text:
        return None
    found = PERCENT.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if found is not None and 0 < float(found[1]) <= 100:
        return Window(share=float(found[1]) / 100)
    try:
        seconds = durations.seconds(text, "window") if len(text) <= LONGEST else 0.0
    except InvalidOption:
        seconds = 0.0
    if 0 < seconds <= DAY.total_seconds():
        return Window(seconds=seconds)
    raise InvalidOption(
        "window",
        f"window is a duration up to a day, as “30m”, or a part of the interval up to 100 %, as “50%”; "
        f"got {text[:60]!r}.",
    )


def spread(clock: Cron, text: str, schedule_id: str) -> Cron:
    """The clock of a schedule: as its window says, or the plain one."""
    found = window(text)
    if found is None:
        return clock
    digest = hashlib.sha256(schedule_id.encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    return Spread(clock.expression, clock.timezone, clock.pattern, clock, found, place)


@dataclass(frozen=True, slots=True)
class Spread(Cron):
    """A clock whose moments come later than those its expression names."""

    named: Cron
    window: Window
    #: From 0 to 1.
    place: float

    def fires(self, after: datetime) -> Iterator[datetime]:
        """The moments after `after`, in order."""
        if not self.window.share:
            shift = self._part(timedelta(seconds=self.window.seconds))
            yield from (moment + shift for moment in self.named.fires(after - shift))
            return
        # the one before may come only now
        for moment, following in pairwise(self.named.fires(self._last(after) - INSTANT)):
            if (fire := moment + self._part((following - moment) * self.window.share)) > after:
                yield fire

    def nominal(self, at: datetime) -> datetime:
        """The time the expression names, for the moment that comes of it."""
        if self.window.share:
            return self._last(at)
        return at - self._part(timedelta(seconds=self.window.seconds))

    @property
    def plain(self) -> Cron:
        """The clock of the expression alone."""
        return self.named

    def _part(self, span: timedelta) -> timedelta:
        """Whole seconds, as fires have."""
        return timedelta(seconds=int(span.total_seconds() * self.place))

    def _last(self, at: datetime) -> datetime:
        found = self.named.latest(at - LOOK_BACK, at, 1)
        return found[0] if found else at

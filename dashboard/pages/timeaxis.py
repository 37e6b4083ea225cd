"""The x axis of charts over time: a window cut into bars that begin at round times of the viewer's zone."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from runs.models import Step
from runs.reads.tally import Tally

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: Name in the address -> words, length of the window, length of a bar.
PERIODS: dict[str, tuple[str, timedelta, timedelta]] = {
    "15m": ("15 minutes", timedelta(minutes=15), timedelta(minutes=1)),
    "1h": ("Hour", HOUR, timedelta(minutes=2)),
    "6h": ("6 hours", 6 * HOUR, timedelta(minutes=10)),
    "24h": ("24 hours", DAY, HOUR),
    "3d": ("3 days", 3 * DAY, 3 * HOUR),
    "7d": ("7 days", 7 * DAY, 6 * HOUR),
    "30d": ("30 days", 30 * DAY, DAY),
    "90d": ("90 days", 90 * DAY, 3 * DAY),
}
DEFAULT = "24h"


@dataclass(frozen=True, slots=True)
class Axis:
    """Bars from `starts[0]` to now; the last one is not over."""

    period: str
    bar: timedelta
    starts: tuple[datetime, ...]
    now: datetime

    @property
    def start(self) -> datetime:
        return self.starts[0]

    @property
    def step(self) -> Step:
        """The rollups its bars are made of."""
        return Step.MINUTE if self.bar < HOUR else Step.HOUR

    @property
    def words(self) -> str:
        return PERIODS[self.period][0].lower()

    @property
    def labels(self) -> list[str]:
        return [self.label(start) for start in self.starts]

    def label(self, start: datetime) -> str:
        local = timezone.localtime(start)
        if self.bar >= DAY:
            return f"{local:%-d %b}"
        long = self.now - self.start > DAY + HOUR
        return f"{local:%-d %b %H:%M}" if long else f"{local:%H:%M}"

    def spread(self, timed: Iterable[tuple[datetime, Tally]]) -> list[Tally]:
        """What falls into each bar; what is before the first is left out."""
        bars = [Tally() for _ in self.starts]
        for at, one in timed:
            place = bisect_right(self.starts, at) - 1
            if place >= 0:
                bars[place].add(one)
        return bars

    def place(self, moment: datetime) -> int:
        """The bar of a moment; -1 before the first."""
        return bisect_right(self.starts, moment) - 1

    def share(self, moment: datetime) -> float:
        """Where it lies between the start and now, from 0 to 1."""
        return min(1.0, max(0.0, (moment - self.start) / (self.now - self.start)))

    def hrefs(self, **filters: str | Sequence[str]) -> list[str]:
        """The runs list of each bar: the runs that were made in it."""
        end = self.starts[-1] + self.bar
        # of times nothing but the plus of a zone has to be written otherwise
        times = [
            one.isoformat().replace(":", "%3A").replace("+", "%2B") for one in (*self.starts, end)
        ]
        start = runs_href(**filters)
        start += "" if start.endswith("?") else "&"
        return [f"{start}from={first}&to={last}" for first, last in pairwise(times)]

    @property
    def is_last(self) -> list[bool]:
        """Whether each bar is the one that is not over."""
        return [place + 1 == len(self.starts) for place in range(len(self.starts))]


def axis(period: str, now: datetime) -> Axis:
    """Of a window that ends now; an unknown one is that of a day."""
    period = period if period in PERIODS else DEFAULT
    _, length, bar = PERIODS[period]
    last = _round(timezone.localtime(now), bar)
    count = round(length / bar)
    starts = tuple(_back(last, bar, count - 1 - place) for place in range(count))
    return Axis(period, bar, starts, now)


def windows(request: HttpRequest, shown: str, names: Sequence[str]) -> list[tuple[str, str, bool]]:
    """(address, words, whether it is shown) of the control that chooses one."""
    query = request.GET.copy()
    found = []
    for name in names:
        query["period"] = name
        found.append((f"?{query.urlencode()}", name, name == shown))
    return found


def runs_href(**filters: str | Sequence[str]) -> str:
    """The runs list with these filters."""
    query = urlencode({name: value for name, value in filters.items() if value}, doseq=True)
    return f"{reverse('dashboard:runs')}?{query}"


def _round(local: datetime, bar: timedelta) -> datetime:
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if bar >= DAY else midnight + (local - midnight) // bar * bar


def _back(last: datetime, bar: timedelta, bars: int) -> datetime:
    """So many bars earlier: by the clock on the wall for days, by elapsed time for less."""
    if bar >= DAY:
        return last - bar * bars
    return timezone.localtime((last.astimezone(UTC) - bar * bars), last.tzinfo)

"""The runs list's address: filters as a person sees them, and back to an address."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from dashboard.pages import columns
from dashboard.pages.columns import Column
from dashboard.presenters import LOOKS
from runs.reads.runfilter import RunFilter

#: Name in the address -> words and length; None is all time.
PERIODS: dict[str, tuple[str, timedelta | None]] = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("hour", timedelta(hours=1)),
    "6h": ("6 hours", timedelta(hours=6)),
    "24h": ("24 hours", timedelta(hours=24)),
    "3d": ("3 days", timedelta(days=3)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "90d": ("90 days", timedelta(days=90)),
    "all": ("all time", None),
}
DEFAULT_PERIOD = "7d"
SIZES = (10, 25, 50, 100)
DEFAULT_SIZE = 25
#: Filters with one value, and what their chips say.
SINGLE = {
    "test": "test runs",
    "parent": "parent",
    "origin": "replays of",
    "schedule": "schedule",
    "batch": "batch",
    "machine": "machine",
    "version": "version",
    "error": "error",
}
TESTS = {"1": "only", "0": "without"}
MAX_VALUES, MAX_LENGTH = 20, 300


@dataclass(frozen=True, slots=True)
class Chip:
    """One active filter, and the address of the list without it."""

    name: str
    value: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """What the address asks for. Unknown words are dropped: an old link never fails."""

    status: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    test: str = ""
    parent: str = ""
    origin: str = ""
    schedule: str = ""
    batch: str = ""
    machine: str = ""
    version: str = ""
    error: str = ""
    period: str = DEFAULT_PERIOD
    start: datetime | None = None
    end: datetime | None = None
    size: int = DEFAULT_SIZE
    #: Added to the table.
    columns: tuple[Column, ...] = ()

    @classmethod
    def parse(cls, data: QueryDict) -> "RunQuery":
        start, end = _moment(data.get("from", "")), _moment(data.get("to", ""))
        period = data.get("period", "")
        size = data.get("rows", "")
        return cls(
            status=tuple(value for value in _values(data, "status") if value in LOOKS),
            task=_values(data, "task"),
            queue=_values(data, "queue"),
            tag=_split(_values(data, "tag")),
            run=tuple(map(_whole_id, _split(_values(data, "run")))),
            test=data.get("test", "") if data.get("test") in TESTS else "",
            parent=_text(data.get("parent", "")),
            origin=_text(data.get("origin", "")),
            schedule=_text(data.get("schedule", "")),
            batch=_text(data.get("batch", "")),
            machine=_text(data.get("machine", "")),
            version=_text(data.get("version", "")),
            error=_text(data.get("error", "")),
            period=period if period in PERIODS else DEFAULT_PERIOD,
            start=start,
            end=end,
            size=int(size) if size in map(str, SIZES) else DEFAULT_SIZE,
            columns=columns.parsed(_split(_values(data, "col"))),
        )

    def filter(self, now: datetime) -> RunFilter:
        """The filter to ask the database with."""
        start, end = self.window(now)
        return RunFilter(
            status=self.status,
            task=self.task,
            queue=self.queue,
            tag=self.tag,
            run=self.run,
            test={"1": True, "0": False}.get(self.test),
            parent=self.parent,
            replayed_from=self.origin,
            schedule=self.schedule,
            batch=self.batch,
            machine=self.machine,
            version=self.version,
            error=self.error,
            start=start,
            end=end,
        )

    def window(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """From and to; ids name runs by themselves, so they are looked for in all time."""
        if self.start or self.end:
            return self.start, self.end
        length = PERIODS[self.period][1]
        if length is None or self.run or self.parent or self.origin or self.batch:
            return None, None
        return now - length, None

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The address's parts that differ from the default, in one order."""
        for name in ("status", "task", "queue", "tag", "run"):
            yield from ((name, value) for value in getattr(self, name))
        for name in SINGLE:
            if value := getattr(self, name):
                yield name, value
        for name, moment in (("from", self.start), ("to", self.end)):
            if moment:
                yield name, moment.isoformat()
        if self.period != DEFAULT_PERIOD and not (self.start or self.end):
            yield "period", self.period
        if self.size != DEFAULT_SIZE:
            yield "rows", str(self.size)
        yield from (("col", column.name) for column in self.columns)

    def encode(self) -> str:
        return urlencode(list(self.pairs()))

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the window is asked for."""
        several = self.status or self.task or self.queue or self.tag or self.run
        return bool(several or any(getattr(self, name) for name in SINGLE))

    def cleared(self) -> "RunQuery":
        """The same window without filters."""
        return RunQuery(
            period=self.period, start=self.start, end=self.end, size=self.size, columns=self.columns
        )

    def with_period(self, period: str) -> "RunQuery":
        return replace(self, period=period, start=None, end=None)

    def _with(self, name: str, value: Any) -> "RunQuery":
        return replace(self, **{name: value})

    def wider(self) -> list[str]:
        """Names of the next two wider periods."""
        names = list(PERIODS)
        return names[names.index(self.period) + 1 :][:2]

    def narrower(self) -> list[str]:
        """Names of the next two narrower periods."""
        names = list(PERIODS)
        return names[max(0, names.index(self.period) - 2) : names.index(self.period)][::-1]

    def chips(self) -> list[Chip]:
        """One chip per value."""
        chips = []
        for name in ("status", "task", "queue", "tag", "run"):
            values = getattr(self, name)
            for value in values:
                rest = self._with(name, tuple(other for other in values if other != value))
                word = LOOKS[value].word if name == "status" else value
                chips.append(Chip(name, word, rest.encode()))
        for name, words in SINGLE.items():
            if value := getattr(self, name):
                rest = self._with(name, "")
                chips.append(Chip(words, TESTS.get(value, value), rest.encode()))
        return chips


def _values(data: QueryDict, name: str) -> tuple[str, ...]:
    texts = (_text(value) for value in data.getlist(name))
    return tuple(dict.fromkeys(text for text in texts if text))[:MAX_VALUES]


def _text(value: str) -> str:
    """Without what a database column cannot hold."""
    return value.replace("\x00", "").strip()[:MAX_LENGTH]


def _split(values: tuple[str, ...]) -> tuple[str, ...]:
    parts = (part.strip() for value in values for part in value.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))[:MAX_VALUES]


def _whole_id(text: str) -> str:
    text = text.lower()
    return text if text.startswith("run_") else f"run_{text}"


def _moment(text: str) -> datetime | None:
    """A time as ISO 8601; without an offset it is in the viewer's zone."""
    try:
        # a "+" that was not escaped in the address arrives as a space
        moment = parse_datetime(text.strip().replace(" ", "+") if "T" in text else text)
        if moment is None:
            return None
        return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
    except (ValueError, OverflowError):
        return None

"""The errors page's address: which groups, in which window, in which order."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from dashboard import sight
from runs.models import GroupStatus
from runs.reads.errors import GroupFilter, Window

#: Name in the address -> words and length.
PERIODS: dict[str, tuple[str, timedelta]] = {
    "1h": ("hour", timedelta(hours=1)),
    "3h": ("3 hours", timedelta(hours=3)),
    "24h": ("24 hours", timedelta(hours=24)),
    "3d": ("3 days", timedelta(days=3)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "90d": ("90 days", timedelta(days=90)),
}
DEFAULT_PERIOD = "7d"
#: Hours of the matrix, by the period they are.
MATRIX_PERIODS = {1: "1h", 3: "3h", 24: "24h", 72: "3d", 168: "7d"}
STATUSES = [*((str(value), label) for value, label in GroupStatus.choices), ("any", "All")]
VIEWS = {"list": "List", "matrix": "By window"}
#: Name in the address -> words and column.
SORTS = {
    "last": ("Last seen", "last_at"),
    "first": ("First seen", "first_at"),
    "most": ("Most failures ever", "total"),
}
WORDS = {
    "task": "task",
    "version": "version",
    "assignee": "assigned to",
    "text": "text",
}
MAX_LENGTH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorQuery:
    """What the address asks for. Unknown words are dropped: an old link never fails."""

    status: str = str(GroupStatus.UNRESOLVED)
    task: str = ""
    version: str = ""
    assignee: str = ""
    text: str = ""
    period: str = DEFAULT_PERIOD
    view: str = "list"
    sort: str = "last"

    @classmethod
    def parse(cls, data: QueryDict) -> "ErrorQuery":
        known: dict[str, Collection[str]] = {
            "status": dict(STATUSES),
            "period": PERIODS,
            "view": VIEWS,
            "sort": SORTS,
        }
        found = {name: data.get(name, "") for name in known}
        words = {name: found[name] for name, all_ in known.items() if found[name] in all_}
        return cls(**words, **{name: _text(data.get(name, "")) for name in WORDS})

    def filter(self, now: datetime) -> GroupFilter:
        """The filter to ask the database with."""
        return GroupFilter(
            status="" if self.status == "any" else self.status,
            task=self.task,
            version=self.version,
            assignee=self.assignee,
            text=self.text,
            messages=not sight.is_hidden(),
            start=now - self.length,
        )

    @property
    def length(self) -> timedelta:
        return PERIODS[self.period][1]

    def window(self, now: datetime) -> Window:
        return Window.last(self.length, now)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The address's parts that differ from the default, in one order."""
        default = ErrorQuery()
        for name in ("status", *WORDS, "period", "view", "sort"):
            if (value := getattr(self, name)) != getattr(default, name):
                yield name, value

    def encode(self) -> str:
        return urlencode(list(self.pairs()))

    def having(self, **changes: Any) -> "ErrorQuery":
        return replace(self, **changes)

    def chips(self) -> list[tuple[str, str, str]]:
        """(word, value, the address without it) of what narrows the list."""
        return [
            (word, value, self.having(**{name: ""}).encode())
            for name, word in WORDS.items()
            if (value := getattr(self, name))
        ]

    def cleared(self) -> "ErrorQuery":
        """The same status and window without filters."""
        return self.having(**dict.fromkeys(WORDS, ""))

    def wider(self) -> list[tuple[str, str]]:
        """Words and addresses of the next two wider windows."""
        names = list(PERIODS)
        return [
            (PERIODS[name][0], self.having(period=name).encode())
            for name in names[names.index(self.period) + 1 :][:2]
        ]


def _text(value: str) -> str:
    """Without what a database column cannot hold."""
    return value.replace("\x00", "").strip()[:MAX_LENGTH]

"""What the address of a Trace tab asks for: which rows, which stretch of time, which span is looked at."""

import re
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from django.http import QueryDict

SPAN = re.compile(r"[\w.-]{1,64}")
MAX_SEARCH = 200
#: Seconds after the beginning that an address may name.
MAX_SECONDS = 3e9


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Everything is optional, and what means nothing is dropped."""

    #: The span the inspector shows, and the one whose subtree is shown alone.
    span: str = ""
    within: str = ""
    only_failed: bool = False
    search: str = ""
    #: The time before the first start is drawn too; idle stretches are drawn as long as they are.
    queue_time: bool = False
    all_gaps: bool = False
    #: Seconds after the origin, between which alone is drawn.
    since: float | None = None
    until: float | None = None
    #: The row after which spans are read.
    after: int = 0

    @classmethod
    def parse(cls, asked: QueryDict) -> Self:
        since, until = _seconds(asked.get("t0", "")), _seconds(asked.get("t1", ""))
        if since is not None and until is not None and until <= since:
            since = until = None
        return cls(
            span=_span(asked.get("span", "")),
            within=_span(asked.get("in", "")),
            only_failed=asked.get("only") == "failed",
            search=asked.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH],
            queue_time=asked.get("queue") == "1",
            all_gaps=asked.get("gaps") == "1",
            since=since,
            until=until,
            after=_number(asked.get("after", "")),
        )

    @property
    def is_zoomed(self) -> bool:
        return self.since is not None or self.until is not None

    @property
    def is_filtered(self) -> bool:
        return self.only_failed or bool(self.search)

    def pairs(self) -> dict[str, Any]:
        """Names and values as the address has them; what is as always is left out."""
        found = {
            "in": self.within,
            "only": "failed" if self.only_failed else "",
            "q": self.search,
            "queue": "1" if self.queue_time else "",
            "gaps": "1" if self.all_gaps else "",
            "t0": _text(self.since),
            "t1": _text(self.until),
            "after": self.after or "",
            "span": self.span,
        }
        return {name: value for name, value in found.items() if value != ""}

    def query(self, **changes: Any) -> str:
        """The same with changes, encoded, without the tab."""
        return urlencode(replace(self, **changes).pairs())

    def address(self, **changes: Any) -> str:
        """Of the tab with changes."""
        query = self.query(**changes)
        return f"?tab=trace&{query}" if query else "?tab=trace"


def _span(text: str) -> str:
    return text if SPAN.fullmatch(text) else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _seconds(text: str) -> float | None:
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        return None
    return found if 0 <= found <= MAX_SECONDS else None


def _text(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.6f}".rstrip("0").rstrip(".")

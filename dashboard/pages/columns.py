"""Columns of the runs list: which, in which order, and what somebody adds to them, such as the machine
or a place in payload, metadata or output.

Added ones are shown, not searched (features.md ME-13). What is large is read only for a list that shows it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Left

from dashboard import sight
from runs import keypaths
from runs.errors import InvalidOption
from runs.models import Run
from runs.models.run import RunQuerySet

#: Those of a list nobody has changed, their headings, and what the heading says when asked.
DEFAULT = {
    "status": "Status",
    "task": "Task",
    "run": "Run",
    "created": "Created",
    "wait": "Wait",
    "duration": "Duration",
    "queue": "Queue",
    "tags": "Tags",
}
HELP = {
    "wait": "From joining the queue to the first start",
    "duration": "From first start to the end; the line is its share of what is usual for the task",
}
#: Always there.
LOCKED = ("status", "task")
NUMBERS = ("wait", "duration")
#: What the row has itself, and the heading.
PLAIN = {
    "machine": "Machine",
    "version": "Version",
    "concurrency_key": "Key",
    "priority": "Priority",
    "source": "Source",
    "actor": "By",
    "started_at": "Started",
    "finished_at": "Finished",
    "delay_until": "Delayed until",
}
SOURCES = ("payload", "metadata", "output")
MOST, LONGEST = 6, 100
#: Characters of a document that is looked into, and of a value that is shown.
DOCUMENT, VALUE = 65_536, 60
NOTHING, LARGE, HIDDEN = "–", "too large", "hidden"


@dataclass(frozen=True, slots=True)
class Column:
    """One of them; `path` is empty for what the row has itself."""

    name: str
    source: str
    path: keypaths.Path = ()

    @property
    def heading(self) -> str:
        return self.name if self.path else DEFAULT.get(self.name) or PLAIN[self.name]

    @property
    def help(self) -> str:
        return HELP.get(self.name, "")

    @property
    def is_locked(self) -> bool:
        return self.name in LOCKED

    @property
    def css(self) -> str:
        if self.name in DEFAULT:
            return "num" if self.name in NUMBERS else ""
        return "clip added"


STANDARD = tuple(Column(name, "") for name in DEFAULT)


def arranged(names: Iterable[str]) -> tuple[Column, ...]:
    """The columns in the order of `names`; those that are always there come first where they are not."""
    wanted = tuple(dict.fromkeys(names))
    added = {one.name: one for one in parsed(wanted)}
    known = {one.name: one for one in STANDARD} | added
    locked = [known[name] for name in LOCKED if name not in wanted]
    return (*locked, *(known[name] for name in wanted if name in known))


def parsed(names: Iterable[str], most: int = MOST) -> tuple[Column, ...]:
    """The added columns that are meant; what is none is left out."""
    found = (column(name) for name in dict.fromkeys(names))
    return tuple(one for one in found if one is not None)[:most]


def column(name: str) -> Column | None:
    """`machine`, or as `metadata.progress` and `payload.items[0].sku`."""
    if name in PLAIN:
        return Column(name, name)
    source = next((one for one in SOURCES if name.startswith((f"{one}.", f"{one}["))), None)
    if source is None or len(name) > LONGEST:
        return None
    try:
        return Column(name, source, keypaths.parse("$" + name.removeprefix(source)))
    except InvalidOption:
        return None


def read(runs: RunQuerySet, base: Iterable[str], columns: Iterable[Column]) -> RunQuerySet:
    """`runs` with the columns `base` and what these need, of a large document only the beginning."""
    chosen = list(columns)
    plain = [one.source for one in chosen if not one.path]
    parts = {part_of(one.source): Left(one.source, DOCUMENT + 1) for one in chosen if one.path}
    return runs.only(*base, *filter(None, plain)).annotate(**parts)


def part_of(source: str) -> str:
    """The name under which the beginning of a document is read."""
    return f"{source}_part"


def values(run: Run, columns: Iterable[Column]) -> dict[str, Any]:
    """What stands in the added ones."""
    documents: dict[str, Any] = {}
    return {one.name: _value(run, one, documents) for one in columns if one.source}


def _value(run: Run, one: Column, documents: dict[str, Any]) -> Any:
    if not one.path:
        value = getattr(run, one.source)
        return NOTHING if value in (None, "") else value
    text = getattr(run, part_of(one.source))
    if text is None:
        return NOTHING
    if sight.is_hidden():
        return HIDDEN
    if len(text) > DOCUMENT:
        return LARGE
    if one.source not in documents:
        documents[one.source] = json.loads(sight.document(text, one.source))
    return _shown(keypaths.found_at(one.path, documents[one.source]))


def _shown(value: Any) -> str:
    if value is None:
        return NOTHING
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE else text[: VALUE - 1] + "…"

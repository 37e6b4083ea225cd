"""Key facts of runs: what their tasks declare as worth knowing at first sight."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db.models.functions import Left
from django.urls import reverse

from dashboard import sight
from runs import exact, keyfacts, keypaths
from runs.models import Run, Task

KEY, REMEMBERED = "dashboard.key_facts", 15
#: Characters of a document that is looked into, of a value, and facts of a line of the list.
DOCUMENT, VALUE, LINE = 16_384, 40, 2


@dataclass(frozen=True, slots=True)
class Fact:
    """A word, what is shown, and the search for the runs that have the same; empty for none."""

    label: str
    value: str
    search: str

    @property
    def address(self) -> str:
        """The way to these runs."""
        if not self.search:
            return ""
        return f"{reverse('dashboard:runs')}?{urlencode({'q': self.search})}"


def declared() -> dict[str, list[str]]:
    """What tasks declare, a few seconds old; most declare nothing."""
    known: dict[str, list[str]] | None = cache.get(KEY)
    if known is None:
        rows = Task.objects.filter(config__contains='"key_facts"').values_list("id", "config")
        known = {task_id: json.loads(config).get("key_facts", []) for task_id, config in rows}
        cache.set(KEY, known, REMEMBERED)
    return known


def of(runs: Iterable[Run], most: int = LINE) -> dict[str, list[Fact]]:
    """The facts of these runs by their ids; asks for documents of those alone whose tasks declare some."""
    known = declared()
    return _read_of({run.id: known.get(run.task_id, [])[:most] for run in runs})


def of_one(run: Run) -> list[Fact]:
    """All facts of a run that was asked for with its task's `task_config`."""
    config = getattr(run, "task_config", None) or ""
    names = json.loads(config).get("key_facts", []) if '"key_facts"' in config else []
    return _read_of({run.pk: names}).get(run.pk, [])


def _read_of(wanted: dict[str, list[str]]) -> dict[str, list[Fact]]:
    wanted = {run_id: names for run_id, names in wanted.items() if names}
    if not wanted or sight.is_hidden():
        return {}
    sources = sorted({keyfacts.parse(name)[0] for names in wanted.values() for name in names})
    parts = {f"{one}_part": Left(one, DOCUMENT + 1) for one in sources}
    found = Run.objects.filter(pk__in=wanted).values_list("pk").annotate(**parts)
    return {
        row[0]: list(_facts(wanted[row[0]], dict(zip(sources, row[1:], strict=True))))
        for row in found
    }


def _facts(names: Iterable[str], texts: dict[str, str | None]) -> Iterable[Fact]:
    documents: dict[str, Any] = {}
    for name in names:
        source, path = keyfacts.parse(name)
        text = texts[source]
        if text is None or len(text) > DOCUMENT:
            continue
        if source not in documents:
            documents[source] = _read(sight.document(text, source))
        value = keypaths.found_at(path, documents[source])
        if value is not None:
            yield _fact(name, value)


def _read(text: str) -> Any:
    """With numbers as they were written; nothing of an object that has a key twice."""
    try:
        return exact.loads(text)
    except ValueError:
        return None


def _fact(name: str, value: Any) -> Fact:
    text = value if isinstance(value, str) else " ".join(exact.dumps(value).split())
    shown = text if len(text) <= VALUE else text[: VALUE - 1] + "…"
    is_plain = isinstance(value, (str, bool)) and text and '"' not in text and "\\" not in text
    search = ""
    if is_plain and len(text) <= VALUE:
        search = f'{name}:"{text}"' if any(one in text for one in " ,*:") else f"{name}:{text}"
    return Fact(keyfacts.label(name), shown, search)

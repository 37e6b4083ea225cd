"""What may come next in the search box: qualifiers, then their values."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse, JsonResponse

from dashboard import sight
from dashboard.pages import choices
from dashboard.pages.page import page
from runs.lifecycle.checks import MACHINES
from runs.models import Queue, Run, Task
from runs.reads.qualifiers import DOCUMENTS, QUALIFIERS, STATUSES

MOST = 12
#: Newest runs whose documents are looked into for the names in them, and how much of each.
SAMPLES, PART = 25, 8_192
#: What is being written, up to the caret; quotes keep spaces.
TOKEN = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*"?)*$')
WORDS = re.compile(r"(-?)([A-Za-z_]+):(.*)$", re.DOTALL)
PLACE = re.compile(rf"-?({'|'.join(DOCUMENTS)})[.\[]")


@page()
def suggest(request: HttpRequest) -> HttpResponse:
    """For the text before the caret: where what is being written begins, and what it may become."""
    text = request.GET.get("q", "").replace("\x00", "")[:2000]
    token = TOKEN.search(text)
    written = token[0] if token else ""
    options = list(_options(written))[:MOST]
    return JsonResponse({"from": len(text) - len(written), "options": options})


def _options(written: str) -> Iterator[dict[str, str]]:
    if found := WORDS.fullmatch(written):
        yield from _values(*found.groups())
    elif place := PLACE.match(written):
        yield from _places(place[1], written)
    else:
        yield from _names(written)


def _names(written: str) -> Iterator[dict[str, str]]:
    sign = "-" if written.startswith("-") else ""
    wanted = written.removeprefix("-").lower()
    for one in QUALIFIERS.values():
        if one.name.startswith(wanted):
            yield _option(f"{sign}{one.name}:", f"{one.name}:", one.help)
    for name in DOCUMENTS:
        if name.startswith(wanted):
            yield _option(f"{sign}{name}.", f"{name}.", f"A place in its {name}")


def _values(sign: str, name: str, written: str) -> Iterator[dict[str, str]]:
    *before, last = written.split(",")
    wanted = last.strip('"').lower()
    start = (
        ",".join([f"{sign}{name}:{before[0]}", *before[1:]]) + "," if before else f"{sign}{name}:"
    )
    for value in _known(name, wanted):
        yield _option(f"{start}{_quoted(value)} ", value, "")


def _known(name: str, wanted: str) -> Iterable[str]:
    """Beginnings first, then whatever holds what is written."""
    if name == "task":
        tasks = Task.objects.filter(id__icontains=wanted).order_by("id")
        values: Iterable[str] = list(tasks.values_list("id", flat=True)[: MOST * 4])
    elif name == "queue":
        queues = Queue.objects.filter(name__icontains=wanted).order_by("name")
        values = list(queues.values_list("name", flat=True)[: MOST * 4])
    else:
        values = [value for value in _listed(name) if wanted in value.lower()]
    return sorted(values, key=lambda value: not value.lower().startswith(wanted))


def _listed(name: str) -> Iterable[str]:
    if name == "status":
        return STATUSES
    if name == "machine":
        return MACHINES
    if name in {"tag", "version"}:
        return choices.names()[f"{name}s"]
    examples = {
        "dur": (">1s", ">30s", ">5m", "<1s"),
        "wait": (">10s", ">1m", ">5m"),
        "attempts": (">1", ">2"),
        "after": ("1h", "24h", "7d"),
        "before": ("1h", "24h", "7d"),
        "root": ("yes", "no"),
        "test": ("yes", "no"),
    }
    return examples.get(name) or (QUALIFIERS[name].words if name in QUALIFIERS else ())


def _places(document: str, written: str) -> Iterator[dict[str, str]]:
    """Names in the documents of the newest runs; never a value."""
    sign = "-" if written.startswith("-") else ""
    wanted = written.removeprefix("-").lower().rstrip(".")
    for place in _learnt(document):
        if place.lower().startswith(wanted):
            yield _option(f"{sign}{place}:", f"{place}:", "")


def _learnt(document: str) -> list[str]:
    if sight.is_hidden():
        return []
    newest = Run.objects.filter(**{f"{document}__isnull": False}).order_by("-id")
    # those without this document are passed over, but not all of the table for them
    ids = Run.objects.order_by("-id").values("id")[: SAMPLES * 8]
    texts = newest.filter(id__in=list(ids.values_list("id", flat=True))).values_list(
        Left(document, PART), flat=True
    )[:SAMPLES]
    found: dict[str, None] = {}
    for text in texts:
        if len(text) < PART:
            found |= dict.fromkeys(_below(document, json.loads(text), 2))
    return list(found)


def _below(path: str, value: Any, depth: int) -> Iterator[str]:
    if not isinstance(value, dict) or not depth:
        return
    for name, inner in list(value.items())[:50]:
        if '"' in name or "\\" in name:
            continue
        plain = re.fullmatch(r"[^.\[\]\s:\"]+", name)
        place = f"{path}.{name}" if plain else f'{path}["{name}"]'
        yield place
        yield from _below(place, inner, depth - 1)


def _option(text: str, label: str, help_text: str) -> dict[str, str]:
    return {"text": text, "label": label, "help": help_text}


def _quoted(value: str) -> str:
    if re.fullmatch(r'[^\s,"*]+', value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

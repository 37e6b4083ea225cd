"""The Streams tab: what a run gives out while it executes, and what it is sent."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest

from dashboard import permissions, sight
from dashboard.pages import documents
from dashboard.pages.documents import Document
from runs.models import Run, Stream
from runs.reads import streams
from runs.reads.streams import Chunk, Place

#: Chunks shown, and characters of one.
MOST, LONGEST = 100, 4000


class Shown(NamedTuple):
    """One chunk on screen."""

    chunk: Chunk
    document: Document


def context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the tab's template shows."""
    found = streams.of(run.pk)
    asked, is_input = request.GET.get("stream", ""), request.GET.get("input") == "1"
    one = _chosen(found, asked, is_input)
    live = {"stream": one.key, "input": "1" if one.is_input else ""} if one else {}
    return {
        "streams": [(stream, _query(stream), stream is one) for stream in found],
        "stream": one,
        "live_query": urlencode({name: value for name, value in live.items() if value}),
        "can_send": not run.is_final,
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        **(_chunks(one, request) if one else {}),
    }


def _chosen(found: list[Stream], asked: str, is_input: bool) -> Stream | None:
    """The one that is asked for, else the first."""
    exact = (one for one in found if one.key == asked and one.is_input == is_input)
    return next(exact, found[0] if found else None)


def _query(stream: Stream) -> str:
    asked = {"tab": "streams", "stream": stream.key} | ({"input": "1"} if stream.is_input else {})
    return urlencode(asked)


def _chunks(stream: Stream, request: HttpRequest) -> dict[str, Any]:
    """The last ones, or those from a number on."""
    start, place = (
        _number(request.GET.get("from", "")),
        Place(stream.run_id, stream.key, stream.is_input),
    )
    if start is None:
        chunks = streams.tail(place, stream.count, MOST)
    else:
        chunks = streams.read(place, start)[:MOST]
    first = chunks[0].number if chunks else 0
    last = chunks[-1].number + 1 if chunks else stream.count
    return {
        "chunks": [
            Shown(chunk, documents.show(_bounded(chunk.text), "stream")) for chunk in chunks
        ],
        "joined": _joined(chunks),
        "first_chunk": first,
        "earlier": max(first - MOST, 0) if first else None,
        "later": last if last < stream.count else None,
    }


def _joined(chunks: Iterable[Chunk]) -> Document | None:
    """Chunks of text read as one; None for other values, and where nothing may be read."""
    if sight.is_hidden():
        return None
    values = [json.loads(chunk.text) for chunk in chunks]
    if not values or not all(isinstance(value, str) for value in values):
        return None
    return documents.plain(sight.text("".join(values)))


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def standing(run: Run, now: datetime) -> object:
    """Changes with every chunk: chunks do not touch the run's row."""
    return list(Stream.objects.filter(run_id=run.pk).values_list("is_input", "key", "count"))

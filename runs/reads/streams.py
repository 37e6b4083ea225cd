"""Streams of runs, as readers follow them."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from runs.models import Run, Stream, StreamChunk
from runs.reads.shapes import chunks as parts
from runs.states import FINAL

#: Chunks and bytes of one read; at least one chunk.
MOST, MOST_BYTES = 200, 1_000_000


class Place(NamedTuple):
    """One stream of a run, or one input."""

    run_id: str
    key: str
    is_input: bool = False


class Standing(NamedTuple):
    """How many chunks there are, and whether there will be more."""

    chunks: int
    is_over: bool


def standing(places: Collection[Place]) -> dict[Place, Standing]:
    """How streams stand whose run exists; one nobody has written to has no chunks yet."""
    ids = sorted({place.run_id for place in places})
    over: dict[str, bool] = {}
    counts: dict[Place, int] = {}
    for some in parts(ids):
        runs = Run.objects.filter(pk__in=some).values_list("id", "status")
        # whether it has ended first: what it wrote before is then there
        over |= {run_id: status in FINAL for run_id, status in runs}
        found = Stream.objects.filter(run_id__in=some)
        for run_id, key, is_input, count in found.values_list("run_id", "key", "is_input", "count"):
            counts[Place(run_id, key, bool(is_input))] = count
    return {
        place: Standing(counts.get(place, 0), over[place.run_id])
        for place in places
        if place.run_id in over
    }


class Chunk(NamedTuple):
    """JSON text, with its number in the stream."""

    number: int
    text: str
    at: datetime


def read(place: Place, start: int) -> list[Chunk]:
    """The next chunks from a number on."""
    rows = StreamChunk.objects.filter(
        run_id=place.run_id, is_input=place.is_input, key=place.key, number__gte=start
    )
    found: list[Chunk] = []
    size = 0
    for row in rows.order_by("number").values_list("number", "text", "at")[:MOST].iterator():
        found.append(Chunk(*row))
        size += len(found[-1].text)
        if size >= MOST_BYTES:
            break
    return found


def keys(ids: Collection[str]) -> dict[str, list[str]]:
    """The keys of what runs give out, of those that do."""
    found: dict[str, list[str]] = {}
    rows = Stream.objects.filter(run_id__in=ids, is_input=False).order_by("created_at", "key")
    for run_id, key in rows.values_list("run_id", "key"):
        found.setdefault(run_id, []).append(key)
    return found


def of(run_id: str) -> list[Stream]:
    """What a run gives out and what it is given, in the order they began."""
    found = Stream.objects.filter(run_id=run_id).defer("writers")
    return list(found.order_by("is_input", "created_at", "key"))


def tail(place: Place, count: int, most: int) -> list[Chunk]:
    """The last `most` chunks of a stream that has `count`, bounded by MOST_BYTES as every read."""
    rows = StreamChunk.objects.filter(
        run_id=place.run_id, is_input=place.is_input, key=place.key, number__gte=count - most
    )
    found: list[Chunk] = []
    size = 0
    for row in rows.order_by("-number").values_list("number", "text", "at")[:most].iterator():
        found.append(Chunk(*row))
        size += len(found[-1].text)
        if size >= MOST_BYTES:
            break
    return found[::-1]

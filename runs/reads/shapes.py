"""Sets of runs somebody watches: which runs are in one, and which version of each.

What is read is where the runs stand, not what happened to them: a change that commits late, or with
an earlier time than one that was read before, shows as a version that was not there.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zlib import crc32

from django.db import connection

from runs.models import Batch, Run
from runs.reads.windows import floor_id

#: Runs of one shape: the newest ones.
MOST = 1000
#: Ids in one statement, and shapes in one.
CHUNK, TOGETHER = 500, 50
#: What every change of a run changes.
MARKS = ("id", "updated_at", "status", "attempt_number", "waited_attempt", "usage_ms")


class Shape(NamedTuple):
    """One run, the runs that have all of some tags since a moment, or the runs of a batch."""

    run_id: str = ""
    batch_id: str = ""
    tags: tuple[str, ...] = ()
    since: datetime | None = None


class Version(NamedTuple):
    """A run as it stood: `mark` differs from that of any other state of it."""

    mark: int
    updated_at: datetime


def members(shapes: Collection[Shape], most: int = MOST) -> dict[Shape, list[str]]:
    """The ids of the runs of each shape, newest first. A run is a member whether it exists or not."""
    found = {shape: [shape.run_id] for shape in shapes if shape.run_id}
    found |= _of_batches([shape for shape in shapes if shape.batch_id], most)
    tagged = [shape for shape in shapes if shape.tags]
    for start in range(0, len(tagged), TOGETHER):
        found |= _of_tags(tagged[start : start + TOGETHER], most)
    return found


def versions(ids: Iterable[str]) -> dict[str, Version]:
    """How the runs stand that exist, in a read for every few hundred of them."""
    return {
        row[0]: Version(crc32(repr(row[1:]).encode()), row[1])
        for some in chunks(sorted(set(ids)))
        for row in Run.objects.filter(pk__in=some).values_list(*MARKS)
    }


def chunks(ids: Sequence[str], size: int = CHUNK) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _of_batches(shapes: list[Shape], most: int) -> dict[Shape, list[str]]:
    by_id = {shape.batch_id: shape for shape in shapes}
    found: dict[Shape, list[str]] = {shape: [] for shape in shapes}
    for some in chunks(sorted(by_id)):
        own = Run.objects.filter(batch_id__in=some).order_by("-id").values_list("batch_id", "id")
        for batch_id, run_id in own:
            found[by_id[str(batch_id)]].append(run_id)
        for batch in Batch.objects.filter(pk__in=some).exclude(found="[]").only("id", "found"):
            found[by_id[batch.pk]] += [run_id for _, run_id in batch.found_runs]
    return {shape: list(dict.fromkeys(ids))[:most] for shape, ids in found.items()}


def _of_tags(shapes: list[Shape], most: int) -> dict[Shape, list[str]]:
    """One statement for many: each part stops at `most` rows of one index."""
    found: dict[Shape, list[str]] = {shape: [] for shape in shapes}
    parts, values = [], []
    for place, shape in enumerate(shapes):
        first, *others = shape.tags
        also = "".join(
            " AND EXISTS (SELECT 1 FROM runs_runtag o WHERE o.tag = %s AND o.run_id = t.run_id)"
            for _ in others
        )
        parts.append(
            f"SELECT * FROM (SELECT {place} AS place, t.run_id FROM runs_runtag t"  # noqa: S608
            f" WHERE t.tag = %s AND t.run_id >= %s{also} ORDER BY t.run_id DESC LIMIT {most}) p{place}"
        )
        floor = floor_id("run", shape.since) if shape.since else ""
        values += [first, floor, *others]
    if not parts:
        return found
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    for place, run_id in rows:
        found[shapes[place]].append(run_id)
    return found

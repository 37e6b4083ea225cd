"""Some of many runs, chosen so that nobody waits: for dots, and for the slowest of the newest."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from runs.models import Run
from runs.models.run import RunQuerySet
from runs.reads.tally import DIALECTS
from runs.reads.windows import floor_id

#: Stretches of the window, and runs of each.
STRETCHES, EACH = 100, 20
MOST = STRETCHES * EACH
#: Newest runs that the slowest are looked for among, and how many of these are shown.
LOOKED_AT, SLOWEST = 2000, 10
COLUMNS = "id, task_id, status, started_at, finished_at"


@dataclass(frozen=True, slots=True)
class Took:
    """A run that ended, when it began and how many seconds it took."""

    run_id: str
    task_id: str
    status: str
    started_at: datetime
    seconds: float


def spread(start: datetime, now: datetime, task_id: str = "") -> list[Took]:
    """Runs made since `start` that ended: all of them up to MOST, else evenly from the whole time."""
    window = [(start, now + timedelta(minutes=1))]
    found = _read(window, MOST + 1, task_id)
    if len(found) <= MOST:
        return found
    length = (now - start) / STRETCHES
    parts = [(start + length * at, start + length * (at + 1)) for at in range(STRETCHES)]
    return _read(parts, EACH, task_id)


def slowest(runs: RunQuerySet) -> list[Run]:
    """Of the newest LOOKED_AT of these runs that ended."""
    newest = runs.filter(finished_at__isnull=False, started_at__isnull=False).order_by("-id")
    # picked by a statement that reads three columns of each
    text, values = newest.values("id", "started_at", "finished_at")[
        :LOOKED_AT
    ].query.sql_with_params()
    took = DIALECTS[connection.vendor][1].format("started_at", "finished_at")
    picked = f"SELECT id FROM ({text}) AS newest ORDER BY {took} DESC, id DESC LIMIT {SLOWEST}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(picked, values)
        most = [row[0] for row in cursor.fetchall()]
    found = Run.objects.light().in_bulk(most)
    return [found[run_id] for run_id in most if run_id in found]


def _read(parts: list[tuple[datetime, datetime]], each: int, task_id: str) -> list[Took]:
    """The first ones of each part, in one statement; each reads its stretch of an index."""
    only = "task_id = %s AND " if task_id else ""
    texts, values = [], []
    for place, (first, last) in enumerate(parts):
        texts.append(
            f"SELECT * FROM (SELECT {COLUMNS} FROM runs_run WHERE {only}id >= %s AND id < %s"  # noqa: S608
            f" AND started_at IS NOT NULL AND finished_at IS NOT NULL ORDER BY id LIMIT {each}) p{place}"
        )
        values += ([task_id] if task_id else []) + [floor_id("run", first), floor_id("run", last)]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(texts), values)
        return list(_took(cursor.fetchall()))


def _took(rows: list[tuple[Any, ...]]) -> Iterator[Took]:
    for run_id, task_id, status, *moments in rows:
        started, finished = (_moment(one) for one in moments)
        seconds = max((finished - started).total_seconds(), 0.0)
        yield Took(run_id, task_id, status, started, seconds)


def _moment(value: datetime) -> datetime:
    """SQLite has no time zones; what it keeps is UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)

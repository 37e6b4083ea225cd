"""Searching the log lines of all runs in a window, the newest first.

Nothing says when a line of an id was written but the line; ids follow time nearly, so the window is
found among them by halving, and read back in pieces until enough is found or the time is up.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from runs.models import LogLine, Run
from runs.reads.deadline import TooSlow, deadline

#: Lines of a page, and matches that are counted.
SHOWN, MOST = 100, 1000
#: Ids looked through at once: first, and at most.
PIECE, LARGEST = 20_000, 400_000
#: Lines before and after one.
AROUND = 5
#: Several clusters write: a line may have a smaller id than others that were written before.
SLACK = timedelta(minutes=2)
#: Between two ids, the time of the line in their middle says in which half a moment is.
BEGIN = """
SELECT {place}, %s, first, last + 1,
       (SELECT at FROM runs_logline WHERE id >= (first + last + 1) / 2 ORDER BY id LIMIT 1)
  FROM (SELECT (SELECT id FROM runs_logline ORDER BY id LIMIT 1) AS first,
               (SELECT id FROM runs_logline ORDER BY id DESC LIMIT 1) AS last) AS ends
"""
HALVING = """
WITH RECURSIVE halving(place, moment, low, high, written) AS ({begins}
 UNION ALL
SELECT place, moment,
       CASE WHEN written < moment THEN (low + high) / 2 + 1 ELSE low END,
       CASE WHEN written < moment THEN high ELSE (low + high) / 2 END,
       (SELECT at FROM runs_logline WHERE id >=
               (CASE WHEN written < moment THEN (low + high) / 2 + 1 + high ELSE low + (low + high) / 2 END) / 2
         ORDER BY id LIMIT 1)
  FROM halving WHERE low < high)
SELECT place, low FROM halving WHERE low >= high
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which lines."""

    start: datetime
    end: datetime
    level: int = 0
    task: str = ""
    text: str = ""
    #: Lines with a smaller id; 0 for the newest.
    before: int = 0


@dataclass(slots=True)
class Found:
    """Matches, the newest first: (id, time, level) of MOST at most, and the first SHOWN whole."""

    matches: list[tuple[int, datetime, int]] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    #: Down to which id was looked; 0 when the whole window was.
    reached: int = 0
    #: When the line of that id was written.
    reached_at: datetime | None = None
    seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        return self.reached == 0

    @property
    def next_before(self) -> int:
        """The id to go on below; 0 at the end of the window."""
        if len(self.matches) > SHOWN:
            return self.matches[SHOWN - 1][0]
        return self.reached


def search(query: LogQuery, patience: float) -> Found:
    """What there is; what was found until the time was up where there is much to look through."""
    begun, found = time.monotonic(), Found()
    try:
        with deadline(patience):
            low, high = ids_at(query.start - SLACK, query.end + SLACK)
            high = query.before or high
    except TooSlow:
        found.reached, found.seconds = query.before or 1, patience
        return found
    _read_back(query, found, low, high, begun + patience)
    ids = [match[0] for match in found.matches[:SHOWN]]
    found.lines = list(LogLine.objects.filter(pk__in=ids).order_by("-at", "-id"))
    found.seconds = time.monotonic() - begun
    return found


def _read_back(query: LogQuery, found: Found, low: int, high: int, until: float) -> None:
    """Piece by piece from `high` down to `low`."""
    rows, size = _rows(query), PIECE
    while high > low and len(found.matches) < MOST:
        left = until - time.monotonic()
        first = max(low, high - size)
        try:
            if left <= 0:
                raise TooSlow(0)
            with deadline(left):
                piece = rows.filter(id__gte=first, id__lt=high).order_by("-id")
                found.matches += list(piece[: MOST - len(found.matches)])
        except TooSlow:
            found.reached, found.reached_at = high, _written(high)
            return
        high, size = first, min(size * 4, LARGEST)
    if high > low:
        found.reached = found.matches[-1][0]
        found.reached_at = found.matches[-1][1]


def _rows(query: LogQuery) -> "QuerySet[Any, Any]":
    rows = LogLine.objects.filter(at__gte=query.start, at__lte=query.end)
    if query.level:
        rows = rows.filter(level__gte=query.level)
    if query.text:
        rows = rows.filter(message__icontains=query.text)
    if query.task:
        rows = rows.filter(Exists(Run.objects.filter(pk=OuterRef("run_id"), task_id=query.task)))
    return rows.values_list("id", "at", "level")


def ids_at(*moments: datetime) -> tuple[int, ...]:
    """The smallest id of a line that was written then or later; past the end, the next id. One statement."""
    at = [connection.ops.adapt_datetimefield_value(moment) for moment in moments]
    begins = " UNION ALL ".join(BEGIN.format(place=place) for place in range(len(at)))
    with connection.cursor() as cursor:
        cursor.execute(HALVING.format(begins=begins), at)
        found = dict(cursor.fetchall())
    return tuple(int(found.get(place) or 0) for place in range(len(at)))


def around(line: LogLine) -> tuple[list[LogLine], list[LogLine]]:
    """The lines of its run before it and after it."""
    rows = LogLine.objects.filter(run_id=line.run_id)
    before = list(rows.filter(id__lt=line.pk).order_by("-id")[:AROUND])
    return before[::-1], list(rows.filter(id__gt=line.pk).order_by("id")[:AROUND])


def tasks_of(lines: list[LogLine]) -> dict[str, str]:
    """By the id of the run."""
    ids = {line.run_id for line in lines}
    return dict(Run.objects.filter(pk__in=ids).values_list("id", "task_id"))


def _written(line_id: int) -> datetime | None:
    """When the line of this id, or the next one, was written."""
    rows = LogLine.objects.filter(id__gte=line_id).order_by("id")
    return rows.values_list("at", flat=True).first()

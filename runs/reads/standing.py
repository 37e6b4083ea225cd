"""How some runs stand now, and whether there are newer ones: what an open list asks for every few seconds."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import connection
from django.db.models import Subquery

from runs.models import Run
from runs.models.run import RunQuerySet
from runs.reads.windows import floor_id

#: A run's id, when it was written last, its status.
Standing = tuple[str, datetime, str]
NEWER = "(SELECT id FROM runs_run WHERE id > %s AND id >= %s AND id < %s ORDER BY id DESC LIMIT 1)"
LOOK = "SELECT id, updated_at, status, {newer} FROM runs_run WHERE id IN ({places})"
#: Behind every id: "{" is the character after "z".
LAST = "run_{"


def standing(
    ids: Sequence[str], newest: str, start: datetime | None, end: datetime | None
) -> tuple[list[Standing], bool]:
    """One statement for both; it is not put together anew, which would take longer than to answer it.

    Newer ones are later than the run `newest`, and made between `start` and `end`.
    """
    between = floor_id("run", start) if start else "", floor_id("run", end) if end else LAST
    if not ids:
        return [], True
    places = ", ".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        cursor.execute(LOOK.format(newer=NEWER, places=places), [newest or LAST, *between, *ids])
        rows = cursor.fetchall()
    found = [(run_id, _moment(at), status) for run_id, at, status, _ in rows]
    return found, not rows or rows[0][3] is not None


def standing_among(ids: Sequence[str], above: RunQuerySet) -> tuple[list[Standing], bool]:
    """The same where newer ones are those of `above`."""
    rows = Run.objects.filter(id__in=ids).order_by()
    first = above.order_by("-id").values("id")[:1]
    found = list(
        rows.annotate(newest=Subquery(first)).values_list("id", "updated_at", "status", "newest")
    )
    return [one[:3] for one in found], not found or found[0][3] is not None


def _moment(value: datetime) -> datetime:
    """SQLite has no time zones; what it keeps is UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)

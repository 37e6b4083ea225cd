"""What the open runs list asks for every few seconds: one statement as long as nothing has changed."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef

from dashboard.pages import columns, live, run_rows
from dashboard.pages.run_query import RunQuery
from runs.models import Run
from runs.models.run import RunQuerySet
from runs.reads import standing
from runs.reads.deadline import TooSlow, deadline
from runs.reads.runfilter import RunFilter
from runs.reads.standing import Standing

PATIENCE = 2.0
NEW_CAP = 100


class Looked(NamedTuple):
    """Rows that are different now, and how many matching runs are newer; None: as many as are told."""

    changed: list[Run]
    newer: int | None


def look(
    query: RunQuery, known: Mapping[str, str], newest: str, told: str, now: datetime
) -> Looked:
    """`known` are the tokens of the rows on the page, `newest` is its first run, `told` its pill."""
    asked = query.filter(now)
    try:
        if not query.is_narrowed:
            # the key finds what is newer: nothing to stop, and no transaction for it
            rows, has_newer = standing.standing([*known], newest, asked.start, asked.end)
            count = _count(_above(asked, newest)) if has_newer else 0
        else:
            with deadline(PATIENCE):
                above = _above(asked, newest)
                rows, has_newer = standing.standing_among([*known], above)
                count = _count(above) if has_newer else 0
    except TooSlow:
        rows, _ = standing.standing([*known], "", None, None)
        return Looked(_opened(_different(rows, known), query), None)
    is_told = not newest or str(count) == (told or "0")
    return Looked(_opened(_different(rows, known), query), None if is_told else count)


def _above(asked: RunFilter, newest: str) -> RunQuerySet:
    return asked.runs().filter(id__gt=newest) if newest else Run.objects.none()


def _different(rows: Iterable[Standing], known: Mapping[str, str]) -> list[str]:
    """Ids of the rows that changed."""
    return [run_id for run_id, at, status in rows if live.token(at, status) != known[run_id]]


def _count(above: RunQuerySet) -> int:
    return len(above.order_by("-id").values_list("id")[:NEW_CAP])


def _opened(ids: list[str], query: RunQuery) -> list[Run]:
    """Whole rows, and whether children have to be asked for."""
    if not ids:
        return []
    runs = columns.read(Run.objects.filter(id__in=ids), run_rows.COLUMNS, query.shown)
    children = Run.objects.filter(parent_id=OuterRef("pk"))
    return list(runs.annotate(has_children=Exists(children)).order_by("-id"))

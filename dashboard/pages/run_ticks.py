"""What the open runs list asks for every few seconds: one statement as long as nothing has changed."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Subquery

from dashboard.pages import columns, live, run_rows
from dashboard.pages.run_query import RunQuery
from runs.models import Run
from runs.models.run import RunQuerySet
from runs.reads.deadline import TooSlow, deadline

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
    above = query.filter(now).runs().filter(id__gt=newest) if newest else Run.objects.none()
    try:
        with _limit(query):
            ids, has_newer = _different(known, above)
            count = _count(above) if has_newer else 0
    except TooSlow:
        ids, _ = _different(known, Run.objects.none())
        return Looked(_opened(ids, query), None)
    is_told = not newest or str(count) == (told or "0")
    return Looked(_opened(ids, query), None if is_told else count)


def _limit(query: RunQuery) -> AbstractContextManager[None]:
    """Without a filter the key finds what is newer: nothing to stop, and no transaction for it."""
    return deadline(PATIENCE) if query.is_narrowed else nullcontext()


def _different(known: Mapping[str, str], above: RunQuerySet) -> tuple[list[str], bool]:
    """Ids of the rows that changed, and whether there may be newer runs."""
    first = Subquery(above.order_by("-id").values("id")[:1])
    rows = Run.objects.filter(id__in=list(known)).order_by().annotate(newest=first)
    found = list(rows.values_list("id", "updated_at", "status", "newest")) if known else []
    ids = [run_id for run_id, at, status, _ in found if live.token(at, status) != known[run_id]]
    return ids, not found or found[0][3] is not None


def _count(above: RunQuerySet) -> int:
    return len(above.order_by("-id").values_list("id")[:NEW_CAP])


def _opened(ids: list[str], query: RunQuery) -> list[Run]:
    """Whole rows, and whether children have to be asked for."""
    if not ids:
        return []
    runs = columns.read(Run.objects.filter(id__in=ids), run_rows.COLUMNS, query.shown)
    children = Run.objects.filter(parent_id=OuterRef("pk"))
    return list(runs.annotate(has_children=Exists(children)).order_by("-id"))

"""Alert rules about saved views: what a view searches for, as rules watch it."""

from typing import Any

from django.http import QueryDict
from django.utils import timezone

from dashboard.pages.periods import PERIODS
from dashboard.pages.run_query import RunQuery
from runs.models import SavedView


def selection(row: SavedView) -> dict[str, Any]:
    """Its search whatever the time, and how many seconds it looks back (`within`)."""
    query = RunQuery.parse(QueryDict(row.query))
    facts, length = query.filter(timezone.now()).facts, PERIODS[query.period][1]
    facts = {name: value for name, value in facts.items() if name not in ("start", "end")}
    return facts | {"within": length.total_seconds() if length else None}


def choices(owner: str, number: int | None) -> list[tuple[str, str]]:
    """The views `owner` sees, and the one a rule is about already."""
    rows = list(SavedView.objects.seen_by(owner)[:200])
    if number and all(row.pk != number for row in rows):
        rows += SavedView.objects.filter(pk=number)
    return [("", "–"), *((str(row.pk), row.name) for row in rows)]

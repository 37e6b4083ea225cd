"""Groups of errors as rows, and pages of them by key."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from dashboard.pages.error_query import MATRIX_PERIODS, SORTS, ErrorQuery
from dashboard.pages.sparks import Spark
from dashboard.presenters import Look, group_look
from runs.models import ErrorGroup
from runs.reads import errors
from runs.reads.errors import Activity, Window

SALT = "dashboard.errors.cursor"
SIZE = 25
#: Rows of the matrix.
MATRIX_ROWS = 100
GAP, WIDTH, HEIGHT, LEAST = 1, 4, 24, 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """A group in the list."""

    group: ErrorGroup
    look: Look
    activity: Activity
    spark: Spark | None


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of groups, and the cursors to its neighbours (empty: there is none)."""

    groups: list[ErrorGroup]
    newer: str
    older: str


def rows(groups: Sequence[ErrorGroup], window: Window) -> list[Row]:
    """With what they did within the window."""
    found = errors.activity([group.pk for group in groups], window)
    return [
        Row(group, group_look(group), found[group.pk], bars(found[group.pk], window))
        for group in groups
    ]


def matrix(groups: Sequence[ErrorGroup], now: datetime) -> list[tuple[ErrorGroup, Look, Any]]:
    """Each group with (period, failures within it)."""
    found = errors.matrix([group.pk for group in groups], now)
    return [
        (group, group_look(group), list(zip(MATRIX_PERIODS.values(), found[group.pk], strict=True)))
        for group in groups
    ]


def bars(activity: Activity, window: Window) -> Spark | None:
    """A small chart of failures; None where there are none."""
    if not activity.peak:
        return None
    path = ""
    for place, count in enumerate(activity.bars):
        if count:
            height = max(LEAST, count / activity.peak * HEIGHT)
            path += f"M{place * (WIDTH + GAP)} {HEIGHT - height:.4g}h{WIDTH}V{HEIGHT}h-{WIDTH}z"
    said = f"{activity.failures:,} failures, at most {activity.peak:,} in one of {window.bars} bars"
    return Spark(said, window.bars * (WIDTH + GAP) - GAP, (("bad", path),), css="bins")


def cut(query: ErrorQuery, groups: QuerySet[ErrorGroup], cursor: str) -> Slice:
    """The page of `groups` at `cursor`; without one, or with somebody else's, the first page."""
    column = SORTS[query.sort][1]
    direction, place = _read(cursor, query)
    backwards = direction == "newer"
    if place is not None:
        value, key = place
        beyond = "gt" if backwards else "lt"
        same = Q(**{column: value, f"fingerprint__{beyond}": key})
        groups = groups.filter(Q(**{f"{column}__{beyond}": value}) | same)
    order = (column, "fingerprint") if backwards else (f"-{column}", "-fingerprint")
    found = list(groups.order_by(*order)[: SIZE + 1])
    more, shown = len(found) > SIZE, found[:SIZE]
    if backwards:
        shown.reverse()
    has_newer, has_older = (more, True) if backwards else (place is not None, more)
    return Slice(
        shown,
        _write("newer", shown[0], query) if shown and has_newer else "",
        _write("older", shown[-1], query) if shown and has_older else "",
    )


def _write(direction: str, group: ErrorGroup, query: ErrorQuery) -> str:
    value = getattr(group, SORTS[query.sort][1])
    text = value.isoformat() if isinstance(value, datetime) else value
    return signing.dumps([direction, text, group.pk, _digest(query)], salt=SALT)


def _read(cursor: str, query: ErrorQuery) -> tuple[str, tuple[Any, str] | None]:
    try:
        direction, text, key, digest = signing.loads(cursor, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return "", None
    if digest != _digest(query):
        return "", None
    return direction, (parse_datetime(text) if isinstance(text, str) else text, key)


def _digest(query: ErrorQuery) -> str:
    return hashlib.sha256(query.encode().encode()).hexdigest()[:16]

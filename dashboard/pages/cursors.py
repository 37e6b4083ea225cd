"""Pages by key: a signed place in the list, good only for the filter it was made for."""

import hashlib
from dataclasses import dataclass

from django.core import signing

from runs.models import Run
from runs.models.run import RunQuerySet

SALT = "dashboard.runs.cursor"


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of runs, newest first, and the cursors to its neighbours (empty: there is none)."""

    runs: list[Run]
    newer: str
    older: str
    is_first: bool
    #: How many pages of this size lie between it and where somebody began, plus one.
    number: int = 1


def cut(runs: RunQuerySet, size: int, query: str, cursor: str) -> Slice:
    """The page of `runs` at `cursor`; without one, or with somebody else's, the first page."""
    direction, place, number = _read(cursor, query)
    backwards = direction == "newer"
    if place:
        runs = runs.filter(id__gt=place) if backwards else runs.filter(id__lt=place)
    found = list(runs.order_by("id" if backwards else "-id")[: size + 1])
    more, rows = len(found) > size, found[:size]
    if backwards:
        rows.reverse()
    has_newer, has_older = (more, True) if backwards else (bool(place), more)
    return Slice(
        runs=rows,
        newer=_write("newer", rows[0].id, query, max(1, number - 1)) if rows and has_newer else "",
        older=_write("older", rows[-1].id, query, number + 1) if rows and has_older else "",
        is_first=not has_newer,
        number=number if has_newer else 1,
    )


def _write(direction: str, place: str, query: str, number: int) -> str:
    return signing.dumps([direction, place, _digest(query), number], salt=SALT, compress=False)


def _read(cursor: str, query: str) -> tuple[str, str, int]:
    try:
        direction, place, digest, number = signing.loads(cursor, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return "", "", 1
    return (direction, place, number) if digest == _digest(query) else ("", "", 1)


def _digest(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:16]

"""Cursor pages, newest first. A cursor is the id of the run at the page's edge."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from dashboard.api import objects
from dashboard.api.errors import ApiError

T = TypeVar("T")
DEFAULT, LARGEST = 25, 100
RUN_ID = re.compile(r"run_[0-9a-z]{1,26}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """Which page: its size, and the cursor it begins after or ends before."""

    size: int = DEFAULT
    after: str = ""
    before: str = ""


def page(values: dict[str, str], shape: re.Pattern[str] = RUN_ID) -> Page:
    """The page asked for by page[size], page[after] and page[before]; raises a 400."""
    size = values.get("page[size]", str(DEFAULT))
    if not (size.isascii() and size.isdigit() and 1 <= int(size[:9]) <= LARGEST):
        raise ApiError(400, f"page[size] must be a number from 1 to {LARGEST}.")
    after, before = values.get("page[after]", ""), values.get("page[before]", "")
    if after and before:
        raise ApiError(400, "Use page[after] or page[before], not both.")
    for name, cursor in (("page[after]", after), ("page[before]", before)):
        if cursor and shape.fullmatch(cursor) is None:
            raise ApiError(400, f"{name} must be a cursor from an earlier page.")
    return Page(int(size), after, before)


def paged(runs: Any, asked: Page, show: Callable[[Any], Any] = objects.listed) -> dict[str, Any]:
    """`{"data", "pagination": {"next"?, "previous"?}}` of one page."""
    if asked.before:
        found = list(runs.filter(id__gt=asked.before).order_by("id")[: asked.size + 1])
    else:
        older = runs.filter(id__lt=asked.after) if asked.after else runs
        found = list(older.newest_first()[: asked.size + 1])
    shown, edges = cut(found, asked, lambda run: str(run.id))
    return {"data": [show(run) for run in shown], "pagination": edges}


def cut(found: list[T], asked: Page, cursor: Callable[[T], str]) -> tuple[list[T], dict[str, str]]:
    """The rows of a page and the cursors to its neighbours, of one row more than the page holds.

    They come as they were read: from the page's edge away, backwards for the page before a cursor.
    """
    more, shown = len(found) > asked.size, found[: asked.size]
    if asked.before:
        shown.reverse()
    # the page a cursor comes from lies on its other side
    has_next, has_previous = (True, more) if asked.before else (more, bool(asked.after))
    edges = {}
    if shown and has_next:
        edges["next"] = cursor(shown[-1])
    if shown and has_previous:
        edges["previous"] = cursor(shown[0])
    return shown, edges

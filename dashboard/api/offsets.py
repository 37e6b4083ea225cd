"""Pages by number, for lists that stay short: `page` and `perPage`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from dashboard.api.errors import ApiError

DEFAULT, LARGEST, FARTHEST = 25, 100, 100_000
PARAMETERS = {"page", "perPage"}


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    size: int


def page(asked: dict[str, str]) -> Page:
    """The page asked for; one that is too large is cut down. Raises a 400."""
    size = _number(asked.get("perPage", str(DEFAULT)), "perPage")
    return Page(_number(asked.get("page", "1"), "page"), min(size, LARGEST))


def paged(rows: QuerySet[Any], asked: Page, show: Callable[[Any], Any]) -> dict[str, Any]:
    """`{"data", "pagination": {"currentPage", "totalPages", "count"}}`."""
    count = rows.count()
    found = rows[(asked.number - 1) * asked.size : asked.number * asked.size]
    return {
        "data": [show(row) for row in found],
        "pagination": {
            "currentPage": asked.number,
            "totalPages": -(-count // asked.size),
            "count": count,
        },
    }


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= FARTHEST):
        raise ApiError(400, f"{name} must be a number from 1 to {FARTHEST:,}.")
    return int(text)

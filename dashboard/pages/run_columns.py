"""The menu that chooses and orders the columns: links alone, one for each step."""

from dataclasses import dataclass, replace

from dashboard.pages import columns
from dashboard.pages.columns import Column
from dashboard.pages.run_query import RunQuery


@dataclass(frozen=True, slots=True)
class Choice:
    """A column, and the addresses of the list where it stands elsewhere; empty where it cannot."""

    column: Column
    earlier: str = ""
    later: str = ""
    gone: str = ""


def shown(query: RunQuery) -> list[Choice]:
    """The columns of the list, in order."""
    now = query.shown
    return [
        Choice(
            column,
            earlier=_address(query, _swapped(now, place - 1)) if place else "",
            later=_address(query, _swapped(now, place)) if place < len(now) - 1 else "",
            gone="" if column.is_locked else _address(query, (*now[:place], *now[place + 1 :])),
        )
        for place, column in enumerate(now)
    ]


def others(query: RunQuery) -> list[tuple[str, str]]:
    """Heading and address of what may be added."""
    names = {column.name for column in query.shown}
    known = (*columns.STANDARD, *columns.parsed(columns.PLAIN, most=len(columns.PLAIN)))
    return [
        (column.heading, _address(query, (*query.shown, column)))
        for column in known
        if column.name not in names
    ]


def _swapped(order: tuple[Column, ...], place: int) -> tuple[Column, ...]:
    return (*order[:place], order[place + 1], order[place], *order[place + 2 :])


def _address(query: RunQuery, order: tuple[Column, ...]) -> str:
    return replace(query, shown=order).encode()

"""Addresses, bodies and pages, as every call needs them."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from trackside.models import M, read, shaped
from trackside.steps import Call, Item, Items, Request

Duration = str | int | float | timedelta
Moment = Duration | datetime
PAGE = 100


def at(template: str, *names: str) -> str:
    """An address with names in it, whatever stands in them."""
    return template.format(*(quote(name, safe="") for name in names))


def ask(request: Request, model: type[M]) -> Call[M]:
    """One request that answers a `model`."""
    return read((yield request), model)


def told(request: Request, member: str) -> Call[Any]:
    """One request; what its answer says under `member`."""
    return (yield request).json().get(member)


def done(request: Request) -> Call[None]:
    """One request whose answer says no more than that it is done."""
    yield request


def given(**members: Any) -> dict[str, Any]:
    """What was given, in the names and forms of the wire."""
    return {_camel(name): wire(value) for name, value in members.items() if value is not None}


def wire(value: Any) -> Any:
    """Spans of time become seconds, moments ISO 8601, lists of words lists."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.astimezone()).isoformat()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return value


def spoken(value: Moment) -> str | int | float:
    """A span or a moment where text is wanted: seconds as `90s`."""
    made = wire(value)
    return f"{round(made)}s" if isinstance(made, int | float) else str(made)


def filters(**wanted: Any) -> dict[str, str]:
    """Query members `filter[name]`; several values are joined."""
    return {
        f"filter[{_camel(name)}]": _joined(value)
        for name, value in wanted.items()
        if value is not None
    }


def times(start: datetime | None, end: datetime | None, period: Duration | None) -> dict[str, str]:
    """A window of creation times as a query."""
    found = {}
    for name, moment in (("from", start), ("to", end)):
        if moment is not None:
            found[f"filter[createdAt][{name}]"] = str(round(moment.timestamp() * 1000))
    if period is not None:
        found["filter[createdAt][period]"] = str(spoken(period))
    return found


def cursored(path: str, query: Mapping[str, str], model: type[M], limit: int | None) -> Items[M]:
    """Yields the items of all pages, asking for the next when one is used up."""
    asked, left = {**query}, limit
    while left is None or left > 0:
        asked["page[size]"] = str(min(PAGE, left or PAGE))
        page = (yield Request("GET", path, asked)).json()
        yield from _items(page["data"][:left], model)
        left = None if left is None else left - len(page["data"])
        cursor = page.get("pagination", {}).get("next")
        if not cursor:
            return
        asked["page[after]"] = cursor


def numbered(path: str, model: type[M], limit: int | None) -> Items[M]:
    """The same where pages have numbers."""
    number, left = 1, limit
    while left is None or left > 0:
        page = (yield Request("GET", path, {"page": str(number), "perPage": str(PAGE)})).json()
        yield from _items(page["data"][:left], model)
        left = None if left is None else left - len(page["data"])
        if number >= page.get("pagination", {}).get("totalPages", 0):
            return
        number += 1


def _items(data: list[Any], model: type[M]) -> Iterator[Item[M]]:
    for one in data:
        yield Item(shaped(one, model))


def _joined(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ",".join(map(str, value))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join("TTL" if word == "ttl" else word.capitalize() for word in rest)

"""JSON as values that are written again as they were read: numbers keep their digits."""

import json
from collections.abc import Iterator
from typing import Any

INDENT = "  "


class Number(str):
    """A number as it was written: `1.50`, `1e2`, more digits than a double has."""

    __slots__ = ()


class Repeated(ValueError):
    """An object has a key twice; as a value it would lose one."""


def loads(text: str) -> Any:
    """The value of a JSON document, with `Number` for numbers. Raises Repeated, ValueError."""
    return json.loads(text, parse_int=Number, parse_float=Number, object_pairs_hook=_object)


def dumps(value: Any) -> str:
    """The document, a member a line."""
    return "".join(_written(value, "\n"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Repeated("An object has the same key twice.")
    return found


def _written(value: Any, line: str) -> Iterator[str]:
    if isinstance(value, Number):
        yield str(value)
    elif isinstance(value, dict) and value:
        members = ((f"{_scalar(name)}: ", member) for name, member in value.items())
        yield from _members("{", members, "}", line)
    elif isinstance(value, list) and value:
        yield from _members("[", (("", item) for item in value), "]", line)
    else:
        yield _scalar(value)


def _members(
    opening: str, members: Iterator[tuple[str, Any]], closing: str, line: str
) -> Iterator[str]:
    inner = line + INDENT
    yield opening
    for number, (name, member) in enumerate(members):
        yield ("," if number else "") + inner + name
        yield from _written(member, inner)
    yield line + closing


def _scalar(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair, which only an escape can stand for
        return json.dumps(value)
    return text

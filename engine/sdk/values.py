"""Payloads and return values as JSON text, by documented rules (docs/tasks.md).

    None, bool, int, float, str     as they are; a float must be finite
    list, tuple                     array
    set, frozenset                  array, sorted by the JSON text of its items
    dict                            object; every key must be a str
    date, datetime, time            ISO 8601 text
    timedelta                       ISO 8601 duration
    Decimal, UUID                   text
    Enum                            its value
    dataclass                       object of its fields
    pydantic model                  `model_dump(mode="json", by_alias=True)`

Anything else is an UnsupportedValue that says where it stands.
"""

import inspect
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from engine.sdk.errors import UnsupportedValue
from runs.errors import InvalidPayload

MAX_DEPTH = 64
MAX_DIGITS = 1000
#: Any shorter integer has fewer than MAX_DIGITS digits.
SURELY_SHORT_BITS = 3300
#: Characters of a key shown in a path.
SHOWN_KEY = 60


#: Where a value stands: the place of what contains it, and its key or index there; None is the top.
Place = tuple["Place", object] | None
Conversion = Callable[["Converter", Any, Place, int], Any]
encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def payload_text(payload: object) -> str | None:
    """The payload as JSON text. Raises InvalidPayload with the path of what has no JSON form."""
    if payload is None:
        return None
    try:
        return dumps(payload)
    except UnsupportedValue as error:
        raise InvalidPayload(f"Invalid payload. {error}", path=error.path) from error


def dumps(value: object, limit: int | None = None) -> str:
    """`value` as ASCII JSON text of at most `limit` bytes. Raises UnsupportedValue."""
    text = encode(Converter(limit).plain(value, None, 0))
    if limit is not None and len(text) > limit:
        raise too_large(limit)
    return text


def too_large(limit: int) -> UnsupportedValue:
    return refused(None, f"it is larger than the limit of {limit:,} bytes of JSON")


def refused(place: Place, problem: str) -> UnsupportedValue:
    return UnsupportedValue(path_of(place), problem)


def path_of(place: Place) -> str:
    """`$.name[0]`, or `$["odd name"]`."""
    if place is None:
        return "$"
    outer, key = place
    if isinstance(key, int):
        return f"{path_of(outer)}[{key}]"
    name = str(key)[:SHOWN_KEY]
    step = f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]"
    return path_of(outer) + step


class Converter:
    """Turns one value into what `json` writes, and stops as soon as it grows past the limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._size = 0

    def plain(self, value: object, place: Place, depth: int) -> Any:
        """`value` with nothing but JSON's own types inside."""
        self._grow(len(value) if isinstance(value, str) else 1)
        if value is None or type(value) in (str, bool):
            return value
        kind: Any = value.__class__
        convert = conversion_of(kind)
        if convert is None:
            raise refused(place, refusal(value))
        return convert(self, value, place, depth)

    def _grow(self, amount: int) -> None:
        self._size += amount
        if self._limit is not None and self._size > self._limit:
            raise too_large(self._limit)

    def array(self, value: Any, place: Place, depth: int) -> list[Any]:
        check_depth(place, depth)
        return [self.plain(item, (place, index), depth + 1) for index, item in enumerate(value)]

    def unordered(self, value: Any, place: Place, depth: int) -> list[Any]:
        return sorted(self.array(value, place, depth), key=json.dumps)

    def mapping(self, value: Any, place: Place, depth: int) -> dict[str, Any]:
        check_depth(place, depth)
        self._grow(sum(len(key) for key in value if isinstance(key, str)))
        return {
            text_key(key, place): self.plain(item, (place, key), depth + 1)
            for key, item in value.items()
        }

    def fields(self, value: Any, place: Place, depth: int) -> dict[str, Any]:
        return self.mapping({f.name: getattr(value, f.name) for f in fields(value)}, place, depth)

    def model(self, value: BaseModel, place: Place, depth: int) -> Any:
        try:
            dumped = value.model_dump(mode="json", by_alias=True)
        except (ValueError, TypeError) as error:
            raise refused(place, f"pydantic cannot write it: {error}") from error
        return self.plain(dumped, place, depth)

    def enum(self, value: Enum, place: Place, depth: int) -> Any:
        return self.plain(value.value, place, depth)

    def integer(self, value: int, place: Place, _depth: int) -> int:
        if value.bit_length() > SURELY_SHORT_BITS and abs(value) >= 10**MAX_DIGITS:
            raise refused(place, f"a whole number has at most {MAX_DIGITS} digits")
        return int(value)

    def real(self, value: float, place: Place, _depth: int) -> float:
        if not math.isfinite(value):
            raise refused(place, f"{value} has no JSON form; use None or text")
        return float(value)

    def decimal(self, value: Decimal, place: Place, _depth: int) -> str:
        if not value.is_finite():
            raise refused(place, f"{value} has no JSON form; use None or text")
        return str(value)

    def text(self, value: Any, _place: Place, _depth: int) -> str:
        return str.__str__(value) if isinstance(value, str) else str(value)

    def moment(self, value: date | time, _place: Place, _depth: int) -> str:
        return value.isoformat()

    def duration(self, value: timedelta, _place: Place, _depth: int) -> Any:
        return to_jsonable_python(value)


#: In this order: an IntEnum is an Enum first, a datetime is a date.
CONVERSIONS: list[tuple[type | tuple[type, ...], Conversion]] = [
    (Enum, Converter.enum),
    (bool, lambda _self, value, _place, _depth: bool(value)),
    (int, Converter.integer),
    (float, Converter.real),
    ((str, UUID), Converter.text),
    (BaseModel, Converter.model),
    (Mapping, Converter.mapping),
    ((list, tuple), Converter.array),
    ((set, frozenset), Converter.unordered),
    ((date, datetime, time), Converter.moment),
    (timedelta, Converter.duration),
    (Decimal, Converter.decimal),
]


@lru_cache(1024)
def conversion_of(kind: type) -> Conversion | None:
    """How values of a type are converted; None when they are refused."""
    for kinds, convert in CONVERSIONS:
        if issubclass(kind, kinds):
            return convert
    return Converter.fields if is_dataclass(kind) else None


def check_depth(place: Place, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise refused(place, f"it is nested deeper than {MAX_DEPTH} levels, or contains itself")


def text_key(key: object, place: Place) -> str:
    if not isinstance(key, str):
        raise refused(place, f"a key is of type {type_name(key)}; JSON keys are text")
    return str(key.value) if isinstance(key, Enum) else str.__str__(key)


def refusal(value: object) -> str:
    """Why a value is refused, with what to do about it."""
    kind = type_name(value)
    if inspect.iscoroutine(value):
        value.close()
        return "a coroutine was never awaited; write `await` before the call"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{kind} has no JSON form; decode it to text or encode it with base64"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return f"a {kind} has no JSON form; make a list of it"
    return f"a value of type {kind} has no JSON form"


def type_name(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else None
    return name or f"{kind.__module__}.{kind.__qualname__}"


__all__ = ["MAX_DEPTH", "UnsupportedValue", "dumps", "type_name"]

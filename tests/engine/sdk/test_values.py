import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_serializer

from engine.sdk.errors import UnsupportedValue
from engine.sdk.values import dumps
from runs import payloads

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
)


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: int
    y: "Point | None" = None


class Model(BaseModel):
    name: str = Field(alias="fullName")
    when: date
    price: Decimal = Decimal(1)


@given(plain)
def test_plain_values_come_back_as_they_were(value):
    text = dumps(value)
    assert text.isascii()
    assert json.loads(text) == value
    assert payloads.clean(text) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ((1, 2), "[1,2]"),
        ({3, 1, 2}, "[1,2,3]"),
        (frozenset({"b", "a"}), '["a","b"]'),
        ({"a": {"b": ()}}, '{"a":{"b":[]}}'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05+00:00"'),
        (time(3, 4), '"03:04:00"'),
        (timedelta(hours=1, minutes=30), '"PT1H30M"'),
        (Decimal("1.50"), '"1.50"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Colour.RED, '"red"'),
        (Level.HIGH, "3"),
        (Point(1, Point(2)), '{"x":1,"y":{"x":2,"y":null}}'),
        (
            Model(fullName="é", when=date(2026, 1, 2)),
            '{"fullName":"\\u00e9","when":"2026-01-02","price":"1"}',
        ),
        ("\x00 \ud800 😀", '"\\u0000 \\ud800 \\ud83d\\ude00"'),
    ],
)
def test_converts_by_the_documented_rules(value, text):
    assert dumps(value) == text


async def never_awaited():
    return 1


class FailingModel(BaseModel):
    name: str = "x"

    @field_serializer("name")
    def fail(self, _):
        raise ValueError("no")


@pytest.mark.parametrize(
    ("value", "path", "says"),
    [
        (math.nan, "$", "nan has no JSON form"),
        ([1, {"a b": math.inf}], '$[1]["a b"]', "inf"),
        (Decimal("NaN"), "$", "NaN"),
        ({"a": b"x"}, "$.a", "base64"),
        ((n for n in [1]), "$", "generator has no JSON form; make a list"),
        ({"rows": object()}, "$.rows", "type object"),
        ({1: 2}, "$", "key is of type int"),
        (never_awaited, "$", "type function"),
        (Point, "$", "type type"),
        (10**1000, "$", "1000 digits"),
        ({"m": FailingModel()}, "$.m", "pydantic cannot write it"),
    ],
)
def test_says_where_and_what_has_no_json_form(value, path, says):
    with pytest.raises(UnsupportedValue, match=says) as caught:
        dumps(value)
    assert caught.value.path == path


def test_a_forgotten_await_is_named():
    with pytest.raises(UnsupportedValue, match="never awaited"):
        dumps([never_awaited()])


def nested(levels):
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_allows_as_many_levels_as_the_guard():
    assert payloads.clean(dumps(nested(64)))
    with pytest.raises(UnsupportedValue, match="deeper than 64"):
        dumps(nested(65))


def test_a_value_that_contains_itself_is_refused():
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(UnsupportedValue, match="contains itself"):
        dumps(loop)


@pytest.mark.parametrize("value", ["x" * 50_000_000, list(range(10_000)), ["é" * 500]])
def test_refuses_what_is_too_large(value):
    with pytest.raises(UnsupportedValue, match="limit of 1,000 bytes"):
        dumps(value, 1000)


def test_a_shared_list_cannot_blow_up():
    shared: list[Any] = ["x"]
    for _ in range(60):
        shared = [shared, shared]
    with pytest.raises(UnsupportedValue, match="limit"):
        dumps(shared, 100_000)

"""Operations on metadata."""

import pytest

from runs.errors import InvalidOption
from runs.metadata import apply, read


def do(document, kind, key=None, value=None):
    return apply(document, [{"type": kind, "key": key, "value": value}])


@pytest.mark.parametrize(
    ("before", "kind", "key", "value", "after"),
    [
        ({}, "set", "a", 1, {"a": 1}),
        ({"a": 1}, "set", "a.b", 2, {"a": 1, "a.b": 2}),
        ({"a": 1}, "set", "$.a", None, {"a": None}),
        ({}, "set", "$.a.b", 1, {"a": {"b": 1}}),
        ({}, "set", "$.steps[0].status", "ok", {"steps": [{"status": "ok"}]}),
        ({"a": [1]}, "set", "$.a[1]", 2, {"a": [1, 2]}),
        ({"a": "text"}, "set", "$.a.b", 1, {"a": {"b": 1}}),
        ({}, "set", """$.x['a b']["c.d"]""", 1, {"x": {"a b": {"c.d": 1}}}),
        ({"a": 1, "b": 2}, "delete", "a", None, {"b": 2}),
        ({"a": [1, 2]}, "delete", "$.a[0]", None, {"a": [2]}),
        ({"a": 1}, "delete", "$.x.y", None, {"a": 1}),
        ({}, "append", "a", 1, {"a": [1]}),
        ({"a": [1]}, "append", "a", [2], {"a": [1, [2]]}),
        ({"a": 1}, "append", "a", 2, {"a": [1, 2]}),
        ({"a": [1, True, {"x": 1}, 1]}, "remove", "a", 1, {"a": [True, {"x": 1}]}),
        ({"a": [{"x": 1, "y": 2}]}, "remove", "a", {"y": 2, "x": 1}, {"a": []}),
        ({"a": 1}, "remove", "a", 1, {"a": 1}),
        ({}, "remove", "a", 1, {}),
        ({}, "increment", "a", 2, {"a": 2}),
        ({"a": 1}, "increment", "a", -0.5, {"a": 0.5}),
        ({"a": "x"}, "increment", "a", 1, {"a": 1}),
        ({"a": True}, "increment", "a", 1, {"a": 1}),
        ({"a": 1}, "update", None, {"b": 2}, {"b": 2}),
    ],
)
def test_an_operation_does_what_its_name_says(before, kind, key, value, after):
    kept = repr(before)
    assert do(before, kind, key, value) == after
    assert repr(before) == kept


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("increment", "a", "1"),
        ("increment", "a", True),
        ("update", None, [1]),
        ("set", "", 1),
        ("set", None, 1),
        ("set", "__proto__", 1),
        ("set", "$.a.constructor.b", 1),
        ("set", "$.", 1),
        ("set", "$.a[", 1),
        ("set", "$.a[-1]", 1),
        ("set", "$.a[*]", 1),
        ("set", "$.list[5]", 1),
        ("set", "$.list.name", 1),
        ("set", "$.object[0]", 1),
        ("jump", "a", 1),
    ],
)
def test_what_cannot_be_done_is_refused(kind, key, value):
    with pytest.raises(InvalidOption):
        do({"list": [1], "object": {"x": 1}}, kind, key, value)


def test_values_are_not_shared():
    value = [1]
    after = do({}, "set", "a", value)
    value.append(2)
    assert after == {"a": [1]}


@pytest.mark.parametrize(("key", "found"), [("a", [1, {"b": 2}]), ("$.a[1].b", 2), ("x", None)])
def test_a_value_is_read(key, found):
    assert read({"a": [1, {"b": 2}]}, key) == found

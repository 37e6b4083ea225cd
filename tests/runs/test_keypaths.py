import pytest

from runs.errors import InvalidOption
from runs.keypaths import key_at, parse


@pytest.mark.parametrize(
    ("path", "payload", "key"),
    [
        ("$.customer", '{"customer": "c_1"}', "c_1"),
        ("$.customer.id", '{"customer": {"id": 7}}', "7"),
        ("$.items[1].sku", '{"items": [{}, {"sku": "tea"}]}', "tea"),
        ("$[0]", "[1.5]", "1.5"),
        ('$["odd name"].id', '{"odd name": {"id": ""}}', ""),
        ("$.customer", "{}", None),
        ("$.customer.id", '{"customer": "c_1"}', None),
        ("$.items[3]", '{"items": []}', None),
        ("$.customer", '{"customer": null}', None),
        ("$.customer", "[]", None),
        ("$.customer", None, None),
    ],
)
def test_finds_the_key(path, payload, key):
    assert key_at(path, payload) == key


@pytest.mark.parametrize("value", ["true", "{}", "[]"])
def test_what_can_be_no_key_is_refused(value):
    with pytest.raises(InvalidOption, match=r"at \$\.a is text or a number"):
        key_at("$.a", f'{{"a": {value}}}')


@pytest.mark.parametrize(
    "path", ["", "$", "customer", "$customer", "$.", "$.a b", "$.a[x]", "$..a"]
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InvalidOption, match="concurrency_key"):
        parse(path)

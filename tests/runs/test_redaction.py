import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs import redaction
from runs.errors import InvalidOption
from runs.redaction import compiled

RULES = compiled(
    ("*password*", "user.email", "cards[].number", "$.a.**.z", "api_key"), (r"\b4\d{15}\b",)
)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ('{"password" : "x", "n": 1.50}', '{"password" : "[redacted]", "n": 1.50}'),
        ('{"dbPassword":{"a":[1]}, "b":2}', '{"dbPassword":"[redacted]", "b":2}'),
        ('{"user":{"E-Mail":1},"email":2}', '{"user":{"E-Mail":"[redacted]"},"email":2}'),
        ('{"x":{"user":{"email":[]}}}', '{"x":{"user":{"email":"[redacted]"}}}'),
        ('{"user.email":"a@b"}', '{"user.email":"[redacted]"}'),
        ('{"cards":[{"number":1},{"number":[2]}]}',
         '{"cards":[{"number":"[redacted]"},{"number":"[redacted]"}]}'),
        ('{"a":{"b":[{"z":1}],"z":{}}}', '{"a":{"b":[{"z":"[redacted]"}],"z":"[redacted]"}}'),
        ('{"pass\\u0077ord":null}', '{"pass\\u0077ord":"[redacted]"}'),
        ('["4111111111111111 paid", 4111111111111111]', '["[redacted] paid", "[redacted]"]'),
        ('{"4111111111111111": 1}', '{"[redacted]": 1}'),
        ('["apiKey: q1, rest"]', '["apiKey: [redacted], rest"]'),
        ('"\\u0070assword=x"', '"password=[redacted]"'),
        ('{"token": 1, "e": {}, "l": [[], {}]}', '{"token": 1, "e": {}, "l": [[], {}]}'),
    ],
)  # fmt: skip
def test_masks_values_and_leaves_the_rest(stored, shown):
    assert RULES.document(stored, "payload") == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password=hunter2, next", "password=[redacted], next"),
        ('{"db_password": "hun\\"ter2", "n": 1}', '{"db_password": [redacted], "n": 1}'),
        ("{'password': 'two words'}", "{'password': [redacted]}"),
        ("API-KEY => abc; x", "API-KEY => [redacted]; x"),
        ("?api_key=1&page=2", "?api_key=[redacted]&page=2"),
        ("paid by 4111111111111111.", "paid by [redacted]."),
        ("the password was wrong", "the password was wrong"),
    ],
)
def test_masks_words_of_texts(line, shown):
    assert RULES.text(line) == shown


def test_credentials_go_with_their_scheme():
    rules = compiled(("authorization",), ())
    assert rules.text("Authorization: Bearer abc.def x") == "Authorization: [redacted] x"


def test_a_pattern_may_name_the_column():
    rules = compiled(("payload.name",), ())
    assert rules.document('{"name":1}', "payload") == '{"name":"[redacted]"}'
    assert rules.document('{"name":1}', "output") == '{"name":1}'


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "password", "z", "n"]) | st.text(max_size=3), inner, max_size=3
        )
    ),
    max_leaves=12,
)


def hidden(value):
    """What a document is read as, done the slow way."""
    if isinstance(value, list):
        return [hidden(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {k: "[redacted]" if "password" in k else hidden(v) for k, v in value.items()}


@given(VALUES, st.sampled_from([None, 2]))
def test_any_document_is_masked_where_it_should_be(value, indent):
    text = json.dumps(value, indent=indent)
    shown = compiled(("password",), ()).document(text)
    assert json.loads(shown) == hidden(value)


def test_what_is_no_document_is_masked_as_a_whole():
    assert RULES.document('"password"]') == '"[redacted]"'


@pytest.fixture
def ours(monkeypatch):
    monkeypatch.setattr(redaction, "rules", lambda: RULES)


STORED = '{"user": {"email":"a@b", "n": 1}, "t":"x 4111111111111111"}'


def test_what_was_masked_is_put_back(ours):
    shown = RULES.document(STORED, "payload")
    edited = shown.replace('"n": 1', '"n": 2')
    assert redaction.restored(edited, STORED) == STORED.replace('"n": 1', '"n": 2')


@pytest.mark.parametrize("edited", ['{"user":{"n":"[redacted]"}}', '{"t":"y [redacted]"}'])
def test_a_mask_that_stands_for_nothing_is_refused(ours, edited):
    with pytest.raises(InvalidOption, match="write the value itself"):
        redaction.restored(edited, STORED)


@pytest.mark.parametrize(
    "asked", [[], {"key": []}, {"keys": "a"}, {"keys": ["**"]}, {"text": ["("]}, {"keys": [1]}]
)
def test_a_setting_that_cannot_be_is_named(asked):
    assert "REDACT" in redaction.problem(asked)


def test_the_defaults_can_be(settings):
    assert not redaction.problem({})
    assert not redaction.problem({"keys": ["user.*", "**.pin"], "text": [r"\d+"]})
    assert redaction.rules().document('{"apiKey": 1}') == '{"apiKey": "[redacted]"}'

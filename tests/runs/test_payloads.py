import json
import time
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runs import payloads
from runs.errors import InvalidPayload, PayloadTooLarge
from tests.support.corpora import documents, every, needs_corpora, strings

ACCEPTED = [
    "null",
    "0",
    "-0",
    '""',
    "[]",
    "{}",
    "1e2",
    "1E+2",
    "1e-400",
    '{"a":1,"a":2}',
    '{"__proto__":{"constructor":1}}',
    '{"":""}',
    '"\\u0000"',
    '"\\ud800"',
    '{"\\udc00":1}',
    '"\\"[[["',
    '"\u2028\u00e9\U0001f600"',
    "[" * 64 + "]" * 64,
    '{"a":' * 64 + "1" + "}" * 64,
    "9" * 1000,
    "0." + "1" * 999,
    '"' + "[" * 1000 + '"',
]
#: Document, line, column, a word of the message.
REFUSED = [
    ("", 1, 1, "empty"),
    (" \n ", 1, 1, "empty"),
    ("NaN", 1, 1, "NaN"),
    ('["NaN",\n  NaN]', 2, 3, "NaN"),
    ("[Infinity]", 1, 2, "Infinity"),
    ("[-Infinity]", 1, 2, "-Infinity"),
    ("1e400", 1, 1, "too large"),
    ("[1,\n-1e400]", 2, 1, "too large"),
    ("9" * 1001, 1, 1, "1,000 digits"),
    ("0." + "1" * 1000, 1, 1, "1,000 digits"),
    ("1" * 5000, 1, 1, "1,000 digits"),
    ("[" * 65 + "]" * 65, 1, 65, "64 levels"),
    ("[" * 100_000, 1, 65, "64 levels"),
    ('{"a":' * 100_000, 1, 321, "64 levels"),
    ('"[[["' + "[" * 100, 1, 70, "64 levels"),
    ("{\n  'a': 1}", 2, 3, "property name"),
    ('"\t"', 1, 2, "control character"),
    ('"\x00"', 1, 2, "control character"),
    ('"a', 1, 1, "Unterminated"),
    ("1 2", 1, 3, "Extra data"),
    ("\u0661", 1, 1, "Expecting value"),
    ("1\u00a0", 1, 2, "Extra data"),
    ("\ufeff1", 1, 1, "byte order mark"),
    ('"\ud800"', 1, 2, "surrogate"),
    ('"\\x"', 1, 2, "escape"),
    ("01", 1, 2, "Extra data"),
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_returns_the_text_as_it_came(text):
    assert payloads.clean(text) == payloads.clean(text.encode()) == text
    json.loads(text)


def test_drops_only_the_whitespace_around_it():
    assert payloads.clean(' \r\n\t{"a" : [ 1 ] }\n ') == '{"a" : [ 1 ] }'


@pytest.mark.parametrize(("text", "line", "column", "word"), REFUSED)
def test_refuses_and_says_where(text, line, column, word):
    with pytest.raises(InvalidPayload, match=word) as caught:
        payloads.clean(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("raw", "column"), [(b'"\xff"', 2), (b"\xff\xfe1\x00", 1), (b'"\xc3\xa9\xed\xa0\x80"', 3)]
)
def test_refuses_what_is_not_utf8(raw, column):
    with pytest.raises(InvalidPayload, match="UTF-8") as caught:
        payloads.clean(raw)
    assert (caught.value.line, caught.value.column) == (1, column)


def test_the_limit_counts_bytes():
    assert payloads.clean('"éé"', limit=6) == '"éé"'
    for raw in ('"éé"', '"éé"'.encode()):
        with pytest.raises(PayloadTooLarge, match="6 bytes; the limit is 5"):
            payloads.clean(raw, limit=5)


def test_the_limit_comes_from_the_settings(settings):
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 3}
    assert payloads.clean("123") == "123"
    with pytest.raises(PayloadTooLarge):
        payloads.clean("1234")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_every_value_round_trips(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert payloads.clean(text) == text
    assert payloads.loads(payloads.dumps(value)) == payloads.loads(text) == value


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            '"',
            "\\",
            "1",
            "-",
            "1e400",
            "NaN",
            "Infinity",
            "�",
            "\n",
            " ",
            "é",
            "\x00",
            "\ufeff",
            '"a"',
            "true",
            "9" * 1001,
            "[" * 70,
            "e",
            ".",
            "u",
        ]
    )
    | st.text(max_size=3)
).map("".join)


@given(FRAGMENTS | st.text(st.characters(categories=None)))
@example('"' * 70 + "[" * 70)
def test_nothing_but_an_answer_comes_back(text):
    try:
        assert payloads.clean(text).encode().decode() == text.strip(" \t\r\n")
    except InvalidPayload as error:
        str(error).encode()


@given(st.binary())
def test_bytes_are_accepted_or_refused(raw):
    with suppress(InvalidPayload):
        assert payloads.clean(raw).encode() == raw.strip(b" \t\r\n")


@needs_corpora
@pytest.mark.parametrize(("group", "wanted"), [("y", {True}), ("n", {False}), ("i", {True, False})])
def test_decides_as_the_json_test_suite(group, wanted):
    def holds(name, raw):
        accepted = False
        with suppress(InvalidPayload):
            accepted = payloads.clean(raw).encode() == raw.strip(b" \t\r\n")
        assert accepted in wanted

    every(holds, documents(group))


@needs_corpora
def test_keeps_every_naughty_string():
    assert len(strings()) > 500
    for text in strings():
        document = json.dumps(text, ensure_ascii=False)
        assert payloads.loads(payloads.clean(document)) == text


@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * 1_400_000,
        "[" + "[]," * 900_000 + "[]]",
        "[" + "1," * 1_400_000 + "1]",
        "{" + ",".join(f'"{n}":1' for n in range(250_000)) + "}",
        '["' + "\\" * 2_900_000,
    ],
    ids=["quotes", "lists", "numbers", "keys", "backslashes"],
)
def test_large_documents_take_neither_for_ever_nor_all_memory(text):
    began = time.perf_counter()
    tracemalloc.start()
    with suppress(InvalidPayload):
        payloads.clean(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - began < 20
    assert peak < 100_000_000


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"x"])
def test_writes_only_plain_values(value):
    with pytest.raises(InvalidPayload):
        payloads.dumps([value])


def test_writes_ascii():
    assert payloads.dumps({"é": "\ud800\x00"}) == '{"\\u00e9":"\\ud800\\u0000"}'


def test_a_list_in_itself_is_no_value():
    endless = []
    endless.append(endless)
    with pytest.raises(InvalidPayload):
        payloads.dumps(endless)


SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "items": {"items": {"properties": {"price": {"type": "number", "multipleOf": 0.5}}}},
            "a b": {"type": "string", "maxLength": 3},
        },
    }
)


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ('{"items":[{},{},{"price":"x"}]}', "$.items[2].price", "'x' is not of type 'number'"),
        ("[]", "$", "is not of type 'object'"),
        ('{"a b":1}', '$["a b"]', "string"),
        ('{"a b":"' + "z" * 100_000 + '"}', '$["a b"]', "too long"),
        ('{"items":[{"price":%s}]}' % ("9" * 900), "$", "too large"),
    ],
)
def test_names_the_place_the_schema_refuses(document, path, words):
    with pytest.raises(InvalidPayload, match=words) as caught:
        payloads.check(SCHEMA, document)
    assert caught.value.path == path
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("document", ["{}", '{"items":[{"price":1.5}]}', '{"other":null}'])
def test_accepts_what_the_schema_allows(document):
    payloads.check(SCHEMA, document)


@pytest.mark.parametrize(
    "schema",
    [
        "{",
        "1",
        '{"type":"nonsense"}',
        '{"pattern":"("}',
        '{"$ref":"http://127.0.0.1:9/schema"}',
        '{"$ref":"#/nowhere"}',
        '{"$ref":"#"}',
        "[" * 5000,
    ],
)
def test_a_broken_schema_is_not_the_callers_fault(schema):
    payloads.check(schema, '"x"')


def test_an_everyday_payload_costs_microseconds():
    document = (
        b'{"order_id":1234,"customer":{"name":"Ann","tags":["a","b"]},"total":12.5,"paid":true}'
    )
    began = time.perf_counter()
    for _ in range(1000):
        payloads.clean(document, limit=10_000)
    assert time.perf_counter() - began < 0.2  # 200 µs each: ten times what it takes

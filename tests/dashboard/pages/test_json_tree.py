"""Documents as trees: every character is kept, every value has an address."""

import json
import re
from html import unescape

import pytest

from dashboard.pages import json_parts, json_tree
from dashboard.pages.json_parts import TooMany
from tests.support.corpora import documents, every, needs_corpora

TEXT = '{"b":[1e2,{"x":null}],"a":{"c d":"\\u00e9"},"b":12345678901234567890.10}'


def words(html):
    """The values of a tree, as they are written."""
    found = re.findall(r'<span class="j-\w+">(.*?)</span>', html, re.S)
    return [unescape(one) for one in found]


def test_values_are_as_stored():
    assert words(json_tree.drawn(TEXT, "payload")) == [
        "1e2", "null", '"\\u00e9"', "12345678901234567890.10",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{}", "[]"])
def test_what_is_empty_is_shown_so(text):
    assert f">{text}<" in json_tree.drawn(text, "payload")
    assert f">{text}<" in json_tree.drawn(f'{{"a": {text}}}', "payload")


def test_every_value_has_an_address_and_a_path():
    html = json_tree.drawn(TEXT, "payload")
    found = re.findall(r'<li id="([^"]*)" data-path="([^"]*)"', html)
    assert [(place, unescape(path)) for place, path in found] == [
        ("payload.b", "payload.b"),
        ("payload.b.0", "payload.b[0]"),
        ("payload.b.1", "payload.b[1]"),
        ("payload.b.1.x", "payload.b[1].x"),
        ("payload.a", "payload.a"),
        ("payload.a.c%20d", 'payload.a["c d"]'),
        ("payload.b~2", "payload.b"),
    ]


def test_only_the_first_level_is_open():
    html = json_tree.drawn('{"a": {"b": {"c": 1}}}', "payload")
    assert html.count("<details>") == 2
    assert "<details open" not in html


def test_a_long_string_is_cut_and_can_be_read():
    html = json_tree.drawn(json.dumps(["x" * 5000]), "payload")
    assert "show 5.0 kB" in html
    assert "".join(words(html)) == json.dumps("x" * 5000)


@pytest.mark.parametrize("text", ["[" + "1," * 4000 + "1]", "[1", "[1] 2", "{,}", "", '{"a"}', "x"])
def test_what_makes_no_tree_is_left_to_the_text(text):
    assert json_tree.drawn(text, "payload") is None


def test_markup_in_names_and_values_is_text():
    html = json_tree.drawn('{"<b>\\"": "</span><script>"}', "payload")
    assert "<script>" not in html
    assert "<b>" not in html


def test_canonical_sorts_names_and_spells_one_way():
    text = '{"b":[],"a":{"z":1.0,"y":"\\u00e9\\ud800"},"\\u0061b":"\\u00e9"}'
    written = "".join(json_parts.canonical(json_parts.parsed(text)))
    assert written == (
        '{\n  "a": {\n    "y": "\\u00e9\\ud800",\n    "z": 1.0\n  },\n  "ab": "é",\n  "b": []\n}'
    )


@needs_corpora
def test_any_document_is_a_tree_of_its_characters_or_none():
    def holds(name, raw):
        text = raw.decode(errors="replace")
        try:
            part = json_parts.parsed(text)
        except TooMany:
            return
        json_tree.drawn(text, "payload")
        try:
            value = json.loads(text)
        except ValueError:
            return
        if len(set(re.findall(r'"(?:[^"\\]|\\.)*"(?=\s*:)', text))) == text.count(":"):
            assert json.loads("".join(json_parts.canonical(part))) == value

    every(holds, documents())

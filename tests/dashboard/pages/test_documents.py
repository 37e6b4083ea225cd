import json
import re
from html import unescape

import pytest

from dashboard import sight
from dashboard.pages.documents import CLIP, HIGHLIGHT, show
from tests.support.corpora import documents, every, needs_corpora


@pytest.fixture(autouse=True)
def _all_is_shown():
    with sight.using(sight.Sight.STORED):
        yield


def text_of(html):
    return unescape(re.sub(r"</?span[^>]*>", "", html))


@pytest.mark.parametrize(
    "text",
    ["1e2", '{"a":1,"a":2}', '["\\u0000\\ud800", "</script>&amp;"]', "[]", '"', "{,}", "é\r\n\t",
     '{"deep": [[[{}]]], "n": 12345678901234567890.10}'],
)  # fmt: skip
def test_keeps_every_character(text):
    assert text_of(show(text).html) == text


@needs_corpora
def test_keeps_every_character_of_any_document():
    def holds(name, raw):
        text = raw.decode(errors="replace")
        assert text_of(show(text).html) == text

    every(holds, documents())


def test_formatting_changes_only_spaces_between_tokens():
    text = '{"b":[1e2,{}, []],"a":{"x":"1, 2: {3}"},"e":{}}'
    formatted = text_of(show(text, formatted=True).html)
    assert json.loads(formatted) == json.loads(text)
    assert "1e2" in formatted
    assert formatted == (
        '{\n  "b": [\n    1e2,\n    {},\n    []\n  ],\n  "a": {\n    "x": "1, 2: {3}"\n  },\n  "e": {}\n}'
    )


def test_colours_only_what_is_cheap():
    assert "<span" in show('"a"').html
    assert "<span" not in show('"' + "a" * HIGHLIGHT + '"').html


def test_shows_the_ends_of_what_is_large():
    document = show("[" + "1," * CLIP + "1]")
    assert len(document.html) + len(document.tail) < 200_000
    assert document.clipped


def test_hostile_text_finishes_quickly():
    show('"' + "\\" * 50_000)
    show("[" * 60_000)

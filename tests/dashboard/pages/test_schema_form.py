import json

import pytest

from dashboard.pages.schema_form import NoForm, WrongInputs, filled, inputs
from tests.support.corpora import documents, every, needs_corpora

SCHEMA = json.dumps(
    {
        "type": "object",
        "required": ["id", "name", "who"],
        "properties": {
            "id": {"type": "integer"},
            "name": {"type": "string"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "mode": {"enum": ["mail", "post", 3]},
            "sure": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "pin": {"type": "string", "format": "password"},
            "who": {"$ref": "#/$defs/Person"},
        },
        "$defs": {"Person": {"properties": {"mail": {"type": "string"}}, "required": ["mail"]}},
    }
)


def name(label):
    return next(one.name for one in inputs(SCHEMA, "{}") if one.label == label)


def typed(**values):
    return {name(label.replace("__", ".")): text for label, text in values.items()}


def test_has_an_input_of_the_right_kind_for_each_member():
    found = {one.label: (one.kind, one.required) for one in inputs(SCHEMA, "")}
    assert found == {
        "id": ("number", True), "name": ("text", True), "note": ("text", False),
        "mode": ("choice", False), "sure": ("choice", False), "tags": ("json", False),
        "pin": ("secret", False), "who.mail": ("text", True),
    }  # fmt: skip


def test_shows_what_the_payload_holds():
    text = '{"id": 1.50, "name": "a\\nb", "mode": 3, "sure": false, "tags": [1], "note": null}'
    found = {one.label: (one.kind, one.value) for one in inputs(SCHEMA, text)}
    assert found["id"] == ("number", "1.50")
    assert found["name"] == ("long", "a\nb")
    assert found["mode"] == ("choice", "3")
    assert found["sure"] == ("choice", "false")
    assert found["tags"] == ("json", "[\n  1\n]")
    assert found["note"] == ("text", "")


def test_a_value_of_another_type_is_shown_as_json():
    found = {one.label: (one.kind, one.value) for one in inputs(SCHEMA, '{"id": "x", "mode": 9}')}
    assert (found["id"], found["mode"]) == (("json", '"x"'), ("json", "9"))


def test_the_text_stays_as_it_is_where_nothing_was_typed():
    text = '{ "id":1e2,"other" : [1.0, 12345678901234567890], "name":"\\u00e9" }'
    as_shown = {one.name: one.value for one in inputs(SCHEMA, text)}
    assert filled(SCHEMA, text, as_shown) == text
    assert filled(SCHEMA, text, {}) == text


def test_keeps_the_digits_and_members_nobody_touched():
    text = '{"id": 1e2, "other": [1.0, 12345678901234567890, -0], "name": "x"}'
    made = filled(SCHEMA, text, typed(name="y"))
    assert made.replace("\n", "").replace(" ", "") == (
        '{"id":1e2,"other":[1.0,12345678901234567890,-0],"name":"y"}'
    )


def test_makes_a_document_from_nothing():
    made = filled(SCHEMA, "", typed(id="0.10", sure="true", tags='["a"]', who__mail="a@b.c"))
    assert json.loads(made) == {"id": 0.1, "sure": True, "tags": ["a"], "who": {"mail": "a@b.c"}}
    assert '"id": 0.10' in made


def test_an_emptied_input_takes_its_member_away_unless_it_is_needed():
    text = '{"id": 1, "name": "x", "note": "n", "pin": "1"}'
    made = filled(SCHEMA, text, typed(name="", note="", pin=""))
    assert json.loads(made) == {"id": 1, "name": ""}
    with pytest.raises(WrongInputs, match=r"id: A value is needed\."):
        filled(SCHEMA, text, typed(id=" "))


@pytest.mark.parametrize(
    ("label", "text", "said"),
    [("id", "many", "id: "), ("id", "[1]", "A number is needed"), ("tags", "[", "tags: "),
     ("tags", '{"a":1,"a":2}', "same key twice"), ("id", "NaN", "id: ")],
)  # fmt: skip
def test_says_at_which_input_something_is_wrong(label, text, said):
    with pytest.raises(WrongInputs, match=said) as wrong:
        filled(SCHEMA, "{}", typed(**{label: text}))
    assert list(wrong.value.problems) == [name(label)]


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [("", "{}", "no members"), ('{"type": "array"}', "{}", "no members"),
     (SCHEMA, "[]", "Only an object"), (SCHEMA, "{", "cannot be shown"),
     (SCHEMA, '{"a":1,"a":2}', "same key twice"),
     (json.dumps({"properties": {f"p{n}": {} for n in range(61)}}), "{}", "more than 60")],
)  # fmt: skip
def test_says_why_there_is_no_form(schema, text, said):
    with pytest.raises(NoForm, match=said):
        inputs(schema, text)


@needs_corpora
@pytest.mark.once
def test_any_document_is_kept_or_no_form():
    schema = json.dumps({"properties": {"member": {}}})

    def holds(_, raw):
        text = '{"member": ' + raw.decode(errors="replace") + ', "more": "x"}'
        try:
            found = inputs(schema, text)
        except NoForm:
            return
        made = filled(schema, text, {found[-1].name: "7"})
        assert json.loads(made)["more"] == "x"

    every(holds, documents())

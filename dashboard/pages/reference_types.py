"""Types of the API's values in words: “list of Run”, “text, one of A, B”."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PREFIX = "#/components/schemas/"
WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
}
FORMATS = {"date-time": "time, ISO 8601"}
#: Names of a choice that are told where it stands.
MOST_NAMES = 16
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type in words, some of which are names of schemas."""

    #: (words, name of the schema they stand for or empty)
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    kind: Kind
    is_required: bool
    text: str


def kind(schema: dict[str, Any]) -> Kind:
    """What a value of this schema is."""
    return Kind(tuple(_parts(schema)))


def members(schema: dict[str, Any]) -> list[Member]:
    """The members of an object; of another schema the one thing it is, without a name."""
    if "properties" not in schema:
        return [Member("", kind(schema), True, "")]
    required = schema.get("required", ())
    return [
        Member(name, kind(one), name in required, one.get("description", ""))
        for name, one in schema["properties"].items()
    ]


def _parts(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(PREFIX)
        yield name, name
        return
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        for number, choice in enumerate(choices):
            if number:
                yield " or ", ""
            yield from _parts(choice)
    elif schema.get("type") == "array":
        yield "list of ", ""
        yield from _parts(schema.get("items", {}))
        yield _bounds(schema), ""
    elif "additionalProperties" in schema and isinstance(schema["additionalProperties"], dict):
        yield "object with values that are ", ""
        yield from _parts(schema["additionalProperties"])
    else:
        yield _plain(schema), ""


def _plain(schema: dict[str, Any]) -> str:
    names = [schema["const"]] if "const" in schema else schema.get("enum", [])
    if names:
        shown = ", ".join(map(_name, names[:MOST_NAMES]))
        return shown if len(names) == 1 else f"one of {shown}"
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    word = WORDS.get(str(schema.get("type")), "any JSON")
    return word + _bounds(schema)


def _name(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bounds(schema: dict[str, Any]) -> str:
    found = [text.format(f"{schema[name]:,}") for name, text in BOUNDS.items() if name in schema]
    return "".join(f", {one}" for one in found)

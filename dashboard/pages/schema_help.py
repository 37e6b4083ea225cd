"""A task's JSON Schema, told as a table and as an example."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from django.utils import timezone

MAX_FIELDS = 60
MAX_DEPTH = 6
EXAMPLES: dict[str, Any] = {
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "null": None,
    "array": [],
    "object": {},
}


@dataclass(frozen=True, slots=True)
class Field:
    """One member of the payload."""

    path: str
    kind: str
    required: bool
    about: str


def fields(schema: str) -> list[Field]:
    """The members a schema names, outer ones first; none for a schema that cannot be read."""
    document = read(schema)
    return list(_members(document, document, "", 0))[:MAX_FIELDS]


def example(schema: str) -> str:
    """A payload of the right shape, as formatted JSON; empty without a schema."""
    document = read(schema)
    return json.dumps(_example(document, document, 0), indent=2) if document else ""


def defaults(schema: str) -> str:
    """The members that have a default, with it, as JSON."""
    members = properties(read(schema)).items()
    given = {name: one["default"] for name, one in members if "default" in (one or {})}
    return json.dumps(given)


def read(schema: str) -> dict[str, Any]:
    """The schema; an empty one for what is none."""
    try:
        document = json.loads(schema) if schema else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _members(node: Any, root: dict[str, Any], path: str, depth: int) -> Iterator[Field]:
    node = resolved(node, root)
    required = node.get("required")
    for name, member in properties(node).items():
        place = f"{path}.{name}" if path else name
        inner = resolved(member, root)
        needed = isinstance(required, list) and name in required
        yield Field(place, _kind(inner, root), needed, about(inner))
        if depth < MAX_DEPTH:
            yield from _members(inner, root, place, depth + 1)


def properties(node: dict[str, Any]) -> dict[str, Any]:
    """The members of an object by name."""
    members = node.get("properties")
    return members if isinstance(members, dict) else {}


def resolved(node: Any, root: dict[str, Any]) -> dict[str, Any]:
    """`node`, or what its local reference names."""
    if not isinstance(node, dict):
        return {}
    reference = node.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return node
    target: Any = root
    for part in reference[2:].split("/"):
        target = target.get(part) if isinstance(target, dict) else None
    return target if isinstance(target, dict) and "$ref" not in target else {}


def _kind(node: dict[str, Any], root: dict[str, Any]) -> str:
    if isinstance(node.get("enum"), list):
        return " | ".join(json.dumps(value) for value in node["enum"][:8])
    choices = node.get("anyOf") or node.get("oneOf")
    if isinstance(choices, list):
        return " or ".join(_kind(resolved(choice, root), root) for choice in choices[:5])
    kind = str(node.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(resolved(node.get('items'), root), root)}"
    return f"{kind} ({node['format']})" if isinstance(node.get("format"), str) else kind


def about(node: dict[str, Any]) -> str:
    """What a schema says of a member, in a line."""
    said = [str(node["description"])] if node.get("description") else []
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "default": "default",
        "pattern": "matches",
    }
    said += [f"{word} {json.dumps(node[key])}" for key, word in words.items() if key in node]
    return "; ".join(said)[:300]


def _example(node: Any, root: dict[str, Any], depth: int) -> Any:
    node = resolved(node, root)
    for key in ("default", "const"):
        if key in node:
            return node[key]
    for key in ("examples", "enum"):
        if isinstance(node.get(key), list) and node[key]:
            return node[key][0]
    for key in ("anyOf", "oneOf"):
        if isinstance(node.get(key), list) and node[key]:
            return _example(node[key][0], root, depth + 1)
    if depth < MAX_DEPTH and properties(node):
        return {
            name: _example(member, root, depth + 1) for name, member in properties(node).items()
        }
    return _simplest(node, depth)


def _simplest(node: dict[str, Any], depth: int) -> Any:
    if node.get("format") == "date-time":
        return f"{timezone.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return EXAMPLES.get(str(node.get("type")), {} if depth == 0 else None)

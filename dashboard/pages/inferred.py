"""What the payloads of a task look like that declares no schema, told from recent ones."""

import json
from collections.abc import Iterable
from typing import Any

from django.db.models.functions import Length

from dashboard import sight
from runs import payloads
from runs.models import Run

#: Characters of a payload that is looked into.
LONGEST = 20_000
MAX_DEPTH = 6
MAX_MEMBERS = 60
MAX_ITEMS = 20
KINDS = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


def schema_of(run_ids: Iterable[str]) -> tuple[str, int]:
    """JSON Schema text of what the payloads of these runs have in common, and how many those are."""
    if sight.is_hidden():
        return "", 0
    runs = Run.objects.filter(id__in=list(run_ids), payload__isnull=False)
    short = runs.annotate(length=Length("payload")).filter(length__lte=LONGEST)
    values = [payloads.loads(text) for text in short.values_list("payload", flat=True) if text]
    return (json.dumps(shape(values)) if values else "", len(values))


def shape(values: list[Any], depth: int = 0) -> dict[str, Any]:
    """The schema of all of these; several kinds of values are alternatives."""
    by_kind: dict[str, list[Any]] = {}
    for value in values:
        by_kind.setdefault(KINDS[type(value)], []).append(value)
    if "number" in by_kind:
        by_kind.pop("integer", None)
    found = [of_kind(kind, those, depth) for kind, those in by_kind.items()]
    return found[0] if len(found) == 1 else {"anyOf": found}


def of_kind(kind: str, values: list[Any], depth: int) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        return {"type": kind}
    if kind == "object":
        return of_objects(values, depth)
    items = [item for value in values for item in value[:MAX_ITEMS]] if kind == "array" else []
    return {"type": kind, "items": shape(items, depth + 1)} if items else {"type": kind}


def of_objects(values: list[dict[str, Any]], depth: int) -> dict[str, Any]:
    """Their members; what all of them have counts as required."""
    names = list(dict.fromkeys(name for value in values for name in value))[:MAX_MEMBERS]
    return {
        "type": "object",
        "properties": {
            name: shape([value[name] for value in values if name in value], depth + 1)
            for name in names
        },
        "required": [name for name in names if all(name in value for value in values)],
    }

"""Parameters in the address and in the query."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from dashboard.openapi.operations import Shape
from dashboard.openapi.routes import Route
from dashboard.openapi.schemas import Schemas

SENTENCES = {
    "task_id": "The task's id, percent-encoded: `a/b` is `a%2Fb`.",
    "run_id": "The run's id, `run_…`.",
    "batch_id": "The batch's id, `batch_…`.",
    "token_id": "The wait token's id, `waitpoint_…`.",
    "schedule_id": "The schedule's id, `sched_…`.",
    "key": "The idempotency key, as it was given or as its hash.",
    "project": "Any word: there is one project.",
    "path": "The path the task declared.",
}


def in_path(route: Route) -> Iterator[dict[str, Any]]:
    """Those of the address; every one is text."""
    for name in route.parameters:
        sentence = SENTENCES.get(name)
        yield {
            "name": name,
            "in": "path",
            "required": True,
            **({"description": sentence} if sentence else {}),
            "schema": {"type": "string", "minLength": 1},
        }


def in_query(shape: Shape, schemas: Schemas) -> Iterator[dict[str, Any]]:
    """Those of the query, from a model, a TypedDict or a dict of names to types."""
    if shape is None:
        return
    if isinstance(shape, Mapping):
        members = {name: TypeAdapter(kind).json_schema() for name, kind in shape.items()}
        required: set[str] = set()
    else:
        whole = TypeAdapter(shape).json_schema()
        members, required = whole.get("properties", {}), set(whole.get("required", ()))
    for name, schema in members.items():
        told = {key: value for key, value in schema.items() if key not in {"title", "description"}}
        yield {
            "name": name,
            "in": "query",
            "required": name in required,
            **({"description": schema["description"]} if "description" in schema else {}),
            "schema": schemas.plain(told),
        }

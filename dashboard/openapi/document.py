"""Puts the document together."""

from inspect import cleandoc
from typing import Any

from dashboard.openapi import refusals
from dashboard.openapi.operations import Media, Operation
from dashboard.openapi.parameters import in_path, in_query
from dashboard.openapi.routes import Route
from dashboard.openapi.schemas import Schemas
from runs.release import release

OPENAPI = "3.1.0"
ABOUT = """\
Make, watch and change runs of tasks over HTTP.

Members without a value are left out of answers; `null` stands only where a schema says so. In bodies \
`null` means absent, and unknown members are refused. Times are ISO 8601 in UTC. Ids are opaque.
"""
SECURITY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key: `python manage.py apikey create NAME`.",
    },
    "publicToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token with scopes, signed with a key, for browsers.",
    },
}
REQUEST_KEY = {
    "name": "x-trigger-request-idempotency-key",
    "in": "header",
    "required": False,
    "description": "The same on every repetition of one request; it is then done once.",
    "schema": {"type": "string"},
}


def document(found: list[Route], prefix: str = "/") -> dict[str, Any]:
    """The OpenAPI document of `found`, addressed below `prefix`."""
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in found:
        paths.setdefault(route.path, {})[route.operation.method.lower()] = _operation(
            route, schemas
        )
    return schemas.resolved(
        {
            "openapi": OPENAPI,
            "info": {"title": "Trackside", "version": release() or "0", "description": ABOUT},
            "servers": [{"url": prefix.rstrip("/") or "/"}],
            "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in found)],
            "paths": paths,
            "components": {"securitySchemes": SECURITY},
        }
    )


def summary(route: Route) -> tuple[str, str]:
    """The first sentence of what the handler says, and the rest."""
    first, _, rest = cleandoc(route.operation.handler.__doc__ or route.name).partition("\n\n")
    sentence, end, more = " ".join(first.split()).partition(". ")
    return sentence + end.strip(), f"{more}\n\n{rest}".strip()


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    operation, (first, rest) = route.operation, summary(route)
    if route.twin:
        rest = f"The same as `{operation.method} {route.twin}`.\n\n{rest}".strip()
    if operation.is_keyed:
        rest = f"{rest}\n\n{_callers(operation)}".strip()
    made: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": first,
        **({"description": rest} if rest else {}),
        "parameters": [*in_path(route), *in_query(operation.query, schemas)],
        **({"requestBody": _body(route, schemas)} if operation.body is not None else {}),
        "responses": _answers(route, schemas),
        "security": _security(route),
    }
    if operation.method == "POST" and operation.is_keyed:
        made["parameters"].append(REQUEST_KEY)
    return made


def _callers(operation: Operation) -> str:
    tokens = ", or a public token with the scope" if operation.is_public else ""
    return f"For keys with the role {operation.role}{tokens}."


def _security(route: Route) -> list[dict[str, list[str]]]:
    operation = route.operation
    if not operation.is_keyed:
        return []
    return [{"key": []}, {"publicToken": []}] if operation.is_public else [{"key": []}]


def _body(route: Route, schemas: Schemas) -> dict[str, Any]:
    body = route.operation.body
    if isinstance(body, Media):
        return {"required": True, "content": {body.type: _content(body.shape, schemas)}}
    shape, is_required = schemas.optional(body)
    schema = schemas.reference(shape, "validation")
    return {"required": is_required, "content": {"application/json": {"schema": schema}}}


def _content(shape: Any, schemas: Schemas) -> dict[str, Any]:
    """Lines are text to OpenAPI 3.1; what one of them is stands beside it."""
    if shape is None:
        return {"schema": {}}
    line = schemas.reference(shape, "validation")
    return {"schema": {"type": "string"}, "x-line": line}


def _answers(route: Route, schemas: Schemas) -> dict[str, Any]:
    told = {status: _answer(status, shape, schemas) for status, shape in _good(route)}
    for status, sentence in refusals.of(route.operation, bool(route.parameters)).items():
        told[str(status)] = refusals.answer(status, sentence, schemas)
    return dict(sorted(told.items()))


def _good(route: Route) -> list[tuple[str, Any]]:
    return [
        (str(status), shape)
        for status, shape in route.operation.answers.items()
        if not isinstance(shape, str)
    ]


def _answer(status: str, shape: Any, schemas: Schemas) -> dict[str, Any]:
    if isinstance(shape, Media):
        content = {shape.type: {"schema": {"type": "string"}}}
        return {"description": "What was asked for.", "content": content}
    described = cleandoc(getattr(shape, "__doc__", None) or "").partition("\n")[0]
    is_class = isinstance(shape, type)
    return {
        "description": described if described and is_class else "Done.",
        "content": {"application/json": {"schema": schemas.reference(shape, "serialization")}},
    }

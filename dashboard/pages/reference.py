"""The API's reference: every operation with what it takes and answers, made from the document."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from dashboard.openapi import Route, served
from dashboard.pages import shell
from dashboard.pages.page import page
from dashboard.pages.reference_examples import PYTHON, curl, example
from dashboard.pages.reference_types import Kind, kind, members
from runs import conf


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    is_required: bool
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    text: str
    kind: Kind | None
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """An operation as it is shown."""

    name: str
    method: str
    path: str
    summary: str
    paragraphs: list[str]
    parameters: list[Parameter]
    body: Kind | None
    body_type: str
    needs_body: bool
    answers: list[Answer]
    curl: str
    python: str
    #: Other addresses that do the same.
    twins: list[str]


@page()
def index(request: HttpRequest) -> HttpResponse:
    drawn = _drawn(str(conf.get("URL")).rstrip("/"), served.prefix())
    return shell.render(request, "dashboard/reference/index.html", {"drawn": drawn})


# The same for everybody, as long as the process lives.
@lru_cache(maxsize=4)
def _drawn(base: str, prefix: str) -> SafeString:
    whole = served.whole()
    context = {
        "groups": _groups(whole),
        "schemas": [
            (name, schema.get("description", ""), members(schema))
            for name, schema in whole["components"]["schemas"].items()
        ],
        "base": base,
    }
    return render_to_string("dashboard/reference/_all.html", context)


def _groups(whole: dict[str, Any]) -> dict[str, list[Shown]]:
    """Operations under their tags; one that has several addresses stands at its first."""
    found: dict[str, list[Shown]] = {}
    for route in served.known():
        if not route.twin:
            found.setdefault(route.tag, []).append(_shown(route, whole))
    return found


def _shown(route: Route, whole: dict[str, Any]) -> Shown:
    method = route.operation.method
    told = whole["paths"][route.path][method.lower()]
    content: dict[str, Any] = told.get("requestBody", {}).get("content", {})
    body_type = next(iter(content), "")
    body = content.get(body_type, {})
    schema = body.get("x-line") or body.get("schema")
    components = whole["components"]["schemas"]
    sent = example(schema, components) if schema else None
    return Shown(
        name=told["operationId"],
        method=method,
        path=route.path,
        summary=told["summary"],
        paragraphs=told.get("description", "").split("\n\n") if told.get("description") else [],
        parameters=list(_parameters(told["parameters"])),
        body=kind(schema) if schema else None,
        body_type=body_type,
        needs_body=told.get("requestBody", {}).get("required", False),
        answers=list(_answers(told["responses"])),
        curl=curl(
            method, served.prefix(), route.path, body_type, sent, keyed=bool(told["security"])
        ),
        python=PYTHON.get(told["operationId"], ""),
        twins=[
            other.path
            for other in served.known()
            if other.twin == route.path and other.operation is route.operation
        ],
    )


def _parameters(told: list[dict[str, Any]]) -> Iterator[Parameter]:
    for one in told:
        text = one.get("description", "")
        yield Parameter(one["name"], one["in"], one["required"], kind(one["schema"]), text)


def _answers(told: dict[str, Any]) -> Iterator[Answer]:
    for status, one in told.items():
        content: dict[str, Any] = next(iter(one.get("content", {}).values()), {})
        found = kind(content["schema"]) if content.get("schema") else None
        yield Answer(status, one["description"], found, is_refusal=int(status) >= 400)

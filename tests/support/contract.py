"""Holds every answer a test of the API gets against the OpenAPI document."""

from functools import cache
from urllib.parse import unquote

import jsonschema_rs
from django.test import Client
from django.urls import Resolver404, resolve

from dashboard.api.endpoint import operations
from dashboard.openapi import served

#: Of no operation: a method nobody answers, and our own faults.
EVERYWHERE = {405, 500}


class Checked(Client):
    """Django's test client, for answers the document tells."""

    def generic(self, method, path, *args, **words):
        answer = super().generic(method, path, *args, **words)
        holds(method, unquote(path.partition("?")[0]), answer)
        return answer


def holds(method, path, answer):
    """Fails where `answer` has a status, a content type or a body the document does not tell."""
    told = _responses(method, path)
    if told is None or answer.status_code in EVERYWHERE or answer.streaming:
        return
    what = f"{method} {path} answered {answer.status_code}"
    assert str(answer.status_code) in told, f"{what}: {answer.content[:200]!r}"
    content = told[str(answer.status_code)].get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert {kind, "*/*"} & content.keys() or not content, f"{what} as {kind}"
    if kind.endswith("json") and "schema" in content.get(kind, {}):
        validator = _validator(_name(method, path), str(answer.status_code), kind)
        try:
            problem = next(iter(validator.iter_errors(answer.json())), None)
        except UnicodeEncodeError:
            return  # half of a surrogate pair, as it was sent: the validator has no such text
        assert problem is None, f"{what}: {problem}"


def _responses(method, path):
    name = _name(method, path)
    return None if name is None else _document()[name]["responses"]


def _name(method, path):
    """The operation's id, or None where nobody answers."""
    try:
        match = resolve(path)
    except Resolver404:
        return None
    methods = {one.method for one in operations(match.func)}
    if method not in methods:
        return None
    return match.url_name if len(methods) == 1 else f"{match.url_name}_{method.lower()}"


@cache
def _document():
    paths = _whole()["paths"].values()
    return {one["operationId"]: one for methods in paths for one in methods.values()}


@cache
def _components():
    return closed(_whole()["components"]["schemas"])


@cache
def _whole():
    return served.whole()


@cache
def _validator(name, status, kind):
    schema = _document()[name]["responses"][status]["content"][kind]["schema"]
    whole = {**closed(schema), "components": {"schemas": _components()}}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def closed(part):
    """The schema of what is sent, without room for members it does not name."""
    if isinstance(part, list):
        return [closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {name: closed(value) for name, value in part.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found

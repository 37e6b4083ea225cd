"""The addresses of the API and the operations behind them, in the order of the URL patterns."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern
from django.urls.resolvers import RoutePattern

from dashboard.openapi.operations import Operation, operations

PARAMETER = re.compile(r"<(?:[^:>]+:)?([^>]+)>")
#: The first word of an address after the version that stands for another tag than itself.
TAGS = {
    "idempotencyKeys": "Idempotency keys",
    "waitpoints": "Wait tokens",
    "envvars": "Environment variables",
    "bulk-actions": "Bulk actions",
    "auth": "Public tokens",
    "openapi.json": "This document",
    "packets": "Large payloads",
    "api-keys": "API keys",
    "purges": "Runs",
    "pauses": "Queues",
}
VERSION = re.compile(r"v\d+")
SKIPPED = {"api", "engine"}


@dataclass(frozen=True, slots=True)
class Route:
    """One operation at one address."""

    path: str
    name: str
    operation: Operation
    #: The address that was there first with the same view, or empty.
    twin: str = ""

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{([^}]+)}", self.path)

    @property
    def tag(self) -> str:
        """What the operation is grouped under."""
        words = [word for word in self.path.strip("/").split("/") if not VERSION.fullmatch(word)]
        words = [word for word in words if word not in SKIPPED]
        if words[0] == "projects":
            words = words[2:]
        return TAGS.get(words[0], words[0].capitalize())


def routes(patterns: Sequence[Any], prefix: str = "") -> list[Route]:
    """Every operation of `patterns` at each of its addresses, named with `prefix`."""
    seen: dict[object, str] = {}
    return [route for pattern in patterns for route in _of(pattern, seen, prefix)]


def _of(pattern: URLPattern, seen: dict[object, str], prefix: str) -> Iterator[Route]:
    if not isinstance(pattern.pattern, RoutePattern):
        return
    path = "/" + PARAMETER.sub(r"{\1}", str(pattern.pattern))
    twin = seen.setdefault(pattern.callback, path)
    found = operations(pattern.callback)
    for one in found:
        several = f"_{one.method.lower()}" if len(found) > 1 else ""
        name = f"{prefix}{pattern.name}{several}"
        yield Route(path, name, one, "" if twin == path else twin)


def undocumented(patterns: Sequence[Any]) -> list[str]:
    """Addresses whose view says nothing of itself, or lacks the sentence or the answer."""
    silent = [
        str(pattern.pattern)
        for pattern in patterns
        if isinstance(pattern.pattern, RoutePattern) and not operations(pattern.callback)
    ]
    poor = [
        f"{route.operation.method} {route.path}"
        for route in routes(patterns)
        if not route.operation.is_documented
    ]
    return silent + poor

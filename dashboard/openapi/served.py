"""The document of what this process serves."""

from functools import cache
from typing import Any

from django.urls import get_resolver, reverse

from dashboard.openapi.document import document
from dashboard.openapi.routes import Route, routes

#: Where the addresses stand, and what their operations are named with.
PARTS = {"api": "", "realtime": "realtime_"}


@cache
def whole(below: str = "/") -> dict[str, Any]:
    """The document, addressed below `below`. Not to be changed: there is one for all."""
    return document(known(), below)


@cache
def known() -> list[Route]:
    """Every operation of the API."""
    found = [
        routes(list(get_resolver(f"dashboard.{part}.urls").url_patterns), prefix)
        for part, prefix in PARTS.items()
    ]
    return [route for part in found for route in part]


def prefix() -> str:
    """What Trackside's own paths are below in this project."""
    return reverse("api:runs").removesuffix("api/v1/runs")

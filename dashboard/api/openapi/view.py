"""GET /api/v1/openapi.json."""

from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import get_resolver, reverse

from dashboard.api import auth, objects
from dashboard.api.endpoint import endpoint
from dashboard.api.objects import Raw
from dashboard.api.openapi.document import document
from dashboard.api.openapi.routes import Route, routes
from dashboard.permissions import VIEW, may
from runs import conf


@endpoint("GET", keyed=False, answers=dict[str, Any])
def openapi(request: HttpRequest) -> Any:
    """This document.

    In an environment of the kind `dev` for everybody; elsewhere for people who are logged in and
    may look at runs, and with a key.
    """
    _admit(request)
    return Raw(_text(prefix()))


def _admit(request: HttpRequest) -> None:
    """It holds nothing secret, but says which product answers here."""
    is_open = conf.get("ENVIRONMENT").get("kind", "dev") == "dev"
    person = getattr(request, "user", None)
    if not (is_open or (person is not None and may(person, VIEW))):
        auth.caller(request)


@cache
def _text(below: str) -> str:
    return objects.encode(whole(below))


def whole(below: str = "/") -> dict[str, Any]:
    """The document of everything this process serves, addressed below `below`."""
    return document(known(), below)


@cache
def known() -> list[Route]:
    """Every operation of the API."""
    return routes(_patterns())


def prefix() -> str:
    """What Trackside's own paths are below in this project."""
    return reverse("api:runs").removesuffix("api/v1/runs")


def _patterns() -> list[Any]:
    return list(get_resolver("dashboard.api.urls").url_patterns)

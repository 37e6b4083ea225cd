"""GET /api/v1/openapi.json."""

from functools import cache
from typing import Any

from django.http import HttpRequest

from dashboard.api import auth, objects
from dashboard.api.endpoint import endpoint
from dashboard.api.objects import Raw
from dashboard.openapi import served
from dashboard.permissions import VIEW, may
from runs import conf


@endpoint("GET", keyed=False, answers={200: dict[str, Any], 401: "Neither a key nor a session."})
def openapi(request: HttpRequest) -> Any:
    """This document.

    In an environment of the kind `dev` for everybody; elsewhere for people who are logged in and
    may look at runs, and with a key.
    """
    _admit(request)
    return Raw(_text(served.prefix()))


def _admit(request: HttpRequest) -> None:
    """It holds nothing secret, but says which product answers here."""
    is_open = conf.get("ENVIRONMENT").get("kind", "dev") == "dev"
    person = getattr(request, "user", None)
    if not (is_open or (person is not None and may(person, VIEW))):
        auth.caller(request)


@cache
def _text(below: str) -> str:
    return objects.encode(served.whole(below))

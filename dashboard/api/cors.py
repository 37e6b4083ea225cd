"""Browsers of other sites may call what public tokens may, as the reference lets them.

No package: django-cors-headers answers for a whole site by lists of origins and patterns of paths. Here
the endpoint knows whether it is meant for browsers, every origin is alike, and no cookie is ever looked at.
"""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

#: Headers a script may read beside the few that are always shown.
SHOWN = ", ".join(
    [
        *("x-trigger-jwt", "x-trigger-jwt-claims", "x-should-retry", "retry-after"),
        *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    ]
)
#: What is answered to a preflight that names no headers, and the most of those it may name.
HEADERS, LONGEST = "authorization, content-type", 2000
#: Seconds a browser need not ask again.
REMEMBERED = 7200


def preflight(request: HttpRequest, method: str) -> HttpResponse:
    """The answer to OPTIONS."""
    asked = request.headers.get("access-control-request-headers", "")
    named = asked if 0 < len(asked) <= LONGEST and asked.isprintable() else HEADERS
    answer = HttpResponse(status=204)
    answer["access-control-allow-methods"] = f"{method}, OPTIONS"
    answer["access-control-allow-headers"] = named
    answer["access-control-max-age"] = str(REMEMBERED)
    return answer


def open_to(request: HttpRequest, answer: HttpResponseBase) -> None:
    """Let a script of any site read the answer."""
    if "HTTP_ORIGIN" in request.META:
        answer["access-control-allow-origin"] = "*"
        answer["access-control-expose-headers"] = SHOWN

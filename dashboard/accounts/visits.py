"""Middleware: who comes from where, and whether the session still holds."""

from collections.abc import Callable

from django.contrib.auth import logout
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dashboard.people import sessions
from runs.lifecycle import audit

Answer = Callable[[HttpRequest], HttpResponseBase]


def visits(get_response: Answer) -> Answer:
    """Behind Django's AuthenticationMiddleware."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        token = audit.came_from(request.META.get("REMOTE_ADDR") or "")
        try:
            _hold(request)
            return get_response(request)
        finally:
            audit.forget_origin(token)

    return answer


def _hold(request: HttpRequest) -> None:
    """A page that looks for news by itself is nobody who is there."""
    if not request.user.is_authenticated:
        return
    if sessions.is_over(request.session):
        logout(request)
    elif not (request.headers.get("HX-Request") and "v" in request.GET):
        sessions.note(request.session)

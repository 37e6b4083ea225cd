"""What every endpoint has in common: methods, the key, JSON in every answer."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from dashboard.api import auth, errors, objects
from dashboard.api.errors import ApiError

Handler = Callable[..., dict[str, Any] | HttpResponse]
View = Callable[..., HttpResponse]


class ApiRequest(HttpRequest):
    """A request with its caller."""

    #: "key:<name>", for events and the audit log.
    actor: str


def endpoint(method: str, *, keyed: bool = True, status: int = 200) -> Callable[[Handler], View]:
    """A view that answers `method` with the dict its handler returns, or with a JSON error.

    A handler that is not `keyed` decides itself who may call it.
    """

    def decorate(handler: Handler) -> View:
        @csrf_exempt
        @wraps(handler)
        def view(request: ApiRequest, **arguments: str) -> HttpResponse:
            try:
                _admit(method, request, keyed=keyed)
                answer = _answered(handler(request, **arguments), status)
            except Exception as error:  # the one place that turns errors into answers
                answer = errors.response(error)
            return _private(answer)

        return view

    return decorate


def _admit(method: str, request: ApiRequest, *, keyed: bool) -> None:
    if request.method != method:
        raise ApiError(405, f"Use {method} here, not {request.method}.", headers={"allow": method})
    if keyed:
        request.actor = f"key:{auth.caller(request).name}"


def _answered(told: dict[str, Any] | HttpResponse, status: int) -> HttpResponse:
    if isinstance(told, HttpResponse):
        return told
    return HttpResponse(objects.encode(told), content_type="application/json", status=status)


@csrf_exempt
def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """The answer to every path the API does not have."""
    return _private(errors.response(ApiError(404, "There is no such endpoint.", retry=False)))


def _private(answer: HttpResponse) -> HttpResponse:
    answer["cache-control"] = "no-store"
    answer["x-content-type-options"] = "nosniff"
    return answer

"""What every endpoint has in common: methods, the key, JSON in every answer."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from dashboard.api import auth, errors, objects
from dashboard.api.errors import ApiError
from dashboard.api.operations import Answers, Media, Operation, Shape, operation

Handler = Callable[..., dict[str, Any]]
View = Callable[..., HttpResponse]


class ApiRequest(HttpRequest):
    """A request with its caller."""

    #: "key:<name>", for events and the audit log.
    actor: str


def endpoint(
    method: str,
    *,
    keyed: bool = True,
    status: int = 200,
    body: Shape | Media | None = None,
    query: Shape | None = None,
    answers: Shape | Answers | None = None,
) -> Callable[[Handler], View]:
    """A view that answers `method` with the dict its handler returns, or with a JSON error.

    A handler that is not `keyed` decides itself who may call it. `body`, `query` and `answers` are
    for the OpenAPI document alone: models or TypedDicts; `answers` is that of the good answer, or
    a mapping that names others by their status, `{200: Batch, 409: "When it is closed."}`.
    """

    def decorate(handler: Handler) -> View:
        @csrf_exempt
        @wraps(handler)
        def view(request: ApiRequest, **arguments: str) -> HttpResponse:
            try:
                _admit(method, request, keyed=keyed)
                body = objects.encode(handler(request, **arguments))
                answer = HttpResponse(body, content_type="application/json", status=status)
            except Exception as error:  # the one place that turns errors into answers
                answer = errors.response(error)
            return _private(answer)

        view.operations = [  # type: ignore[attr-defined]
            operation(
                method, handler, keyed=keyed, status=status, body=body, query=query, answers=answers
            )
        ]
        return view

    return decorate


def methods(**views: View) -> View:
    """One address for several methods: `methods(GET=index, POST=create)`."""
    allowed = ", ".join(views)

    @csrf_exempt
    def view(request: HttpRequest, **arguments: str) -> HttpResponse:
        chosen = views.get(request.method or "")
        if chosen is not None:
            return chosen(request, **arguments)
        refusal = f"Use {allowed} here, not {request.method}."
        return _private(errors.response(ApiError(405, refusal, headers={"allow": allowed})))

    view.operations = [one for each in views.values() for one in operations(each)]  # type: ignore[attr-defined]
    return view


def operations(view: object) -> list[Operation]:
    """What a view says of the methods it answers; nothing for one that is no endpoint."""
    return list(getattr(view, "operations", []))


def _admit(method: str, request: ApiRequest, *, keyed: bool) -> None:
    if request.method != method:
        raise ApiError(405, f"Use {method} here, not {request.method}.", headers={"allow": method})
    if keyed:
        request.actor = f"key:{auth.caller(request).name}"


@csrf_exempt
def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """The answer to every path the API does not have."""
    return _private(errors.response(ApiError(404, "There is no such endpoint.", retry=False)))


def _private(answer: HttpResponse) -> HttpResponse:
    answer["cache-control"] = "no-store"
    answer["x-content-type-options"] = "nosniff"
    return answer

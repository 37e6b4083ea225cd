"""What every endpoint has in common: methods, the key, JSON in every answer."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from dashboard import sight
from dashboard.api import auth, cors, errors, limits, objects
from dashboard.api.auth import Caller
from dashboard.api.errors import ApiError
from dashboard.openapi.operations import Answers, Media, Shape, operation, operations
from dashboard.sight import Sight
from runs.lifecycle import audit
from runs.models import Role

Handler = Callable[..., dict[str, Any] | HttpResponseBase]
View = Callable[..., HttpResponseBase]
#: Called with the request and what stands in its address; raises a 403 for a token without the scope.
Rule = Callable[..., None]


class ApiRequest(HttpRequest):
    """A request with its caller."""

    caller: Caller
    #: "key:<name>", for events and the audit log.
    actor: str
    #: Sent with the answer.
    answer_headers: dict[str, str]


def endpoint(  # noqa: PLR0913  # one for each thing an endpoint says of itself
    method: str,
    *,
    keyed: bool = True,
    status: int = 200,
    role: Role | tuple[Role, ...] | None = None,
    public: Rule | None = None,
    tasks: Rule | None = None,
    body: Shape | Media | None = None,
    query: Shape | None = None,
    answers: Shape | Answers | None = None,
) -> Callable[[Handler], View]:
    """A view that answers `method` with the dict its handler returns, or with a JSON error.

    Keys need `role`, or one of them: to read that of a viewer, for all else that of an operator unless it says more.
    Public tokens are admitted by `public`, one of `dashboard.api.access`, and nowhere else; keys that
    are restricted to tasks, and their tokens, by `tasks`, another of those. A handler that is not
    `keyed` decides itself who may call it. `body`, `query` and `answers` are for the
    OpenAPI document alone: models or TypedDicts; `answers` is that of the good answer, or a mapping
    that names others by their status, `{200: Batch, 409: "When it is closed."}`.
    """
    chosen = role or (Role.VIEWER if method == "GET" else Role.OPERATOR)
    needed = (chosen,) if isinstance(chosen, Role) else chosen

    def decorate(handler: Handler) -> View:
        @csrf_exempt
        @wraps(handler)
        def view(request: ApiRequest, **arguments: str) -> HttpResponseBase:
            if request.method == "OPTIONS" and public is not None:
                return _preflight(request, method)
            request.answer_headers = {}
            origin = audit.came_from(request.META.get("REMOTE_ADDR") or "")
            try:
                _check_method(method, request)
                if keyed:
                    _admit(request, needed, public, arguments)
                    _restrict(request, tasks, arguments)
                seen = request.caller.sight if keyed else Sight.NOTHING
                with sight.using(seen):
                    answer: HttpResponseBase = _answered(handler(request, **arguments), status)
                sight.lasting(answer, seen)
            except Exception as error:  # the one place that turns errors into answers
                answer = errors.response(error)
            finally:
                audit.forget_origin(origin)
            for name, value in request.answer_headers.items():
                answer[name] = value
            if public is not None:
                cors.open_to(request, answer)
            return _private(answer)

        view.is_keyed = keyed  # type: ignore[attr-defined]
        view.operations = [  # type: ignore[attr-defined]
            operation(
                method,
                handler,
                role=auth.roles(needed) if keyed else "",
                public=public is not None,
                status=status,
                body=body,
                query=query,
                answers=answers,
            )
        ]
        return view

    return decorate


def methods(**views: View) -> View:
    """One address for several methods: `methods(GET=index, POST=create)`."""
    allowed = ", ".join(views)

    @csrf_exempt
    def view(request: HttpRequest, **arguments: str) -> HttpResponseBase:
        # a browser's preflight is answered by whom it is about
        about = request.headers.get("access-control-request-method", "")
        chosen = views.get(about if request.method == "OPTIONS" else str(request.method))
        if chosen is not None:
            return chosen(request, **arguments)
        refusal = f"Use {allowed} here, not {request.method}."
        return _private(errors.response(ApiError(405, refusal, headers={"allow": allowed})))

    view.is_keyed = all(each.is_keyed for each in views.values())  # type: ignore[attr-defined]
    view.operations = [one for each in views.values() for one in operations(each)]  # type: ignore[attr-defined]
    return view


def _preflight(request: HttpRequest, method: str) -> HttpResponseBase:
    answer = cors.preflight(request, method)
    cors.open_to(request, answer)
    return _private(answer)


def _check_method(method: str, request: HttpRequest) -> None:
    if request.method != method:
        raise ApiError(405, f"Use {method} here, not {request.method}.", headers={"allow": method})


def _admit(
    request: ApiRequest, needed: tuple[Role, ...], public: Rule | None, arguments: dict[str, str]
) -> None:
    caller = request.caller = auth.caller(request)
    request.actor = caller.actor
    request.answer_headers |= limits.take(caller)
    if caller.is_public:
        if public is None:
            raise auth.unauthorized("Public tokens are not accepted here; send a secret key.")
        public(request, **arguments)
    elif not any(map(caller.has, needed)):
        raise auth.forbidden(
            f"This needs a key with the role {auth.roles(needed)}; this one is {caller.role}."
        )


def _restrict(request: ApiRequest, tasks: Rule | None, arguments: dict[str, str]) -> None:
    if not request.caller.tasks:
        return
    if tasks is None:
        request.caller.require_tasks()
    else:
        tasks(request, **arguments)


def _answered(told: dict[str, Any] | HttpResponseBase, status: int) -> HttpResponseBase:
    if isinstance(told, HttpResponseBase):
        return told
    return HttpResponse(objects.encode(told), content_type="application/json", status=status)


@csrf_exempt
def unknown(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    """The answer to every path the API does not have."""
    return _private(errors.response(ApiError(404, "There is no such endpoint.", retry=False)))


def _private(answer: HttpResponseBase) -> HttpResponseBase:
    answer["cache-control"] = "no-store"
    answer["x-content-type-options"] = "nosniff"
    return answer

"""`health/live`: this process answers. `health/ready`: it can also answer pages, or says why not.

For whatever starts processes and sends them requests: containers, systemd, load balancers. These come by
an address instead of a name and by plain http, so no host is checked and nothing is redirected.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.views.decorators.http import require_safe

from dashboard.monitoring.readiness import readiness

LIVE = "/health/live"
Answer = Callable[[HttpRequest], HttpResponseBase]


@require_safe
def live(request: HttpRequest) -> HttpResponseBase:
    """No database: one that is away is no reason to start the process anew."""
    return _private(JsonResponse({"status": "live"}))


@require_safe
def ready(request: HttpRequest) -> HttpResponseBase:
    """503 with the checks that failed."""
    checks = readiness.checks()
    is_ready = not any(check.problem for check in checks)
    told = {
        "status": "ready" if is_ready else "not ready",
        "checks": [
            {"name": one.name, "ok": not one.problem}
            | ({"problem": one.problem} if one.problem else {})
            for one in checks
        ],
    }
    return _private(JsonResponse(told, status=200 if is_ready else 503))


live.is_probe = ready.is_probe = True  # type: ignore[attr-defined]


def probes(get_response: Answer) -> Answer:
    """Middleware, before all others: answers probes and nothing else."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if "/health/" not in request.path_info:
            return get_response(request)
        try:
            found = resolve(request.path_info)
        except Resolver404:
            return get_response(request)
        if not getattr(found.func, "is_probe", False):
            return get_response(request)
        told: HttpResponseBase = found.func(request)
        return told

    return answer


def living(app: Any) -> Any:
    """`app`, whose event loop answers `health/live` itself: also while all its threads are busy."""

    async def application(
        scope: Any, receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        is_ours = scope["type"] == "http" and scope["path"] == LIVE
        if not is_ours or scope["method"] not in ("GET", "HEAD"):
            await app(scope, receive, send)
            return
        body = b'{"status": "live"}'
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        told = body if scope["method"] == "GET" else b""
        await send({"type": "http.response.body", "body": told, "more_body": False})

    return application


def _private(answer: JsonResponse) -> JsonResponse:
    answer["cache-control"] = "no-store"
    answer["x-content-type-options"] = "nosniff"
    answer["content-length"] = str(len(answer.content))
    return answer

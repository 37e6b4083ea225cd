"""The paths under realtime/v1/. Django resolves them; `realtime()` answers them."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path, register_converter
from django.urls.converters import StringConverter
from django.views.decorators.csrf import csrf_exempt

from dashboard.api.endpoint import unknown
from dashboard.api.errors import ApiError, response
from dashboard.realtime import longpoll, sse, writing
from dashboard.realtime.described import OPERATIONS


class TargetConverter(StringConverter):
    """Whose stream: the run's own, its parent's, its root's."""

    regex = "self|parent|root"


register_converter(TargetConverter, "target")

app_name = "realtime"

MISSING = (
    "This server holds no realtime requests: wrap the ASGI application of the project in "
    "dashboard.realtime.realtime() and serve it by an ASGI server (docs/realtime.md)."
)


def pattern(route: str, answer: Callable[..., Awaitable[None]], name: str) -> Any:
    """A path answered by `answer` in front of Django; the view says that nobody stands there."""

    @csrf_exempt
    def view(request: HttpRequest, **_: str) -> HttpResponse:
        return response(ApiError(501, MISSING, retry=False))

    view.realtime = answer  # type: ignore[attr-defined]
    view.operations = OPERATIONS[name]  # type: ignore[attr-defined]
    return path(route, view, name=name)


urlpatterns = [
    pattern("realtime/v1/runs", partial(longpoll.subscribe, kind="tags", named=""), "tagged"),
    pattern("realtime/v1/runs/<str:named>", partial(longpoll.subscribe, kind="runs"), "run"),
    pattern("realtime/v1/batches/<str:named>", partial(longpoll.subscribe, kind="batch"), "batch"),
    pattern("realtime/v1/streams/<str:run_id>/input/<path:key>", writing.give, "input"),
    pattern(
        "realtime/v1/streams/<str:run_id>/<target:target>/<path:key>/append",
        writing.append,
        "append",
    ),
    pattern("realtime/v1/streams/<str:run_id>/<target:target>/<path:key>", writing.into, "write"),
    pattern("realtime/v1/streams/<str:run_id>/<path:key>", sse.follow, "stream"),
    re_path(r"^realtime/(?P<rest>(?s:.*))$", unknown),
]

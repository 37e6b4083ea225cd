"""GET /api/v1/metrics."""

import hmac
from typing import Any

from django.http import HttpRequest, HttpResponse

from dashboard.api import auth
from dashboard.api.endpoint import endpoint
from dashboard.monitoring.exposition import CONTENT_TYPE, exposition
from dashboard.openapi.operations import Media
from runs import conf
from runs.models import Role

#: Prometheus' text format.
TEXT = Media("text/plain", str)


@endpoint(
    "GET",
    keyed=False,
    answers={200: TEXT, 401: "Neither the token nor a key.", 403: "Not a viewer's key."},
)
def metrics(request: HttpRequest) -> Any:
    """Numbers for Prometheus, in its text format.

    With the token in METRICS_TOKEN, or a key with the role viewer that is not restricted to tasks.
    They are read at most once in 5 seconds. docs/observability.md lists them.
    """
    _admit(request)
    return HttpResponse(exposition.text(), content_type=CONTENT_TYPE)


def _admit(request: HttpRequest) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    token = str(conf.get("METRICS_TOKEN"))
    is_bearer = scheme.lower() == "bearer"
    if token and is_bearer and hmac.compare_digest(given.strip().encode(), token.encode()):
        return
    caller = auth.caller(request)
    if caller.is_public:
        raise auth.unauthorized("Public tokens are not accepted here; send a secret key.")
    if not caller.has(Role.VIEWER):
        raise auth.forbidden(
            f"This needs a key with the role {auth.roles([Role.VIEWER])}; this one is {caller.role}."
        )
    caller.require_tasks()

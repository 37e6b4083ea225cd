"""POST /api/v1/tasks/{id}/trigger."""

from dataclasses import replace
from typing import Any

from django.http import HttpRequest

from dashboard.api import access, answers, bodies, grants, packets, schemas, shapes
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from runs import lifecycle, telemetry, tracing
from runs.lifecycle import TriggerOptions, onetime, requests
from runs.models import Role, Source

#: `context` is what the reference's clients say of themselves.
MEMBERS = {"payload", "options", "context"}


@endpoint(
    "POST",
    public=access.trigger,
    body=shapes.Trigger,
    answers=answers.Triggered,
    role=Role.TRIGGER,
    tasks=access.named_task,
)
def trigger(request: ApiRequest, task_id: str) -> dict[str, Any]:
    """Make a run of the task, also of one no cluster knows yet."""
    body = bodies.read(request, required=True)
    check_members(body, MEMBERS)
    given = given_options(body)
    payload = packets.text(body.get("payload"), given.get("payloadType"))
    options = traced(schemas.options(given, "options"), request)
    access.require_runs(request.caller, [options.parent_id] if options.parent_id else [])
    made = requests.once(
        task_id,
        request.META.get("HTTP_X_TRIGGER_REQUEST_IDEMPOTENCY_KEY", ""),
        lambda: onetime.trigger(
            request.caller.token,
            lambda: lifecycle.trigger(
                task_id, payload, options, source=Source.API, actor=request.actor
            ),
        ),
    )
    grants.for_run(request, made.run_id)
    answer = {"id": made.run_id, "isCached": made.is_cached}
    return answer | ({"isSkipped": True} if made.is_skipped else {})


def traced(options: TriggerOptions, request: HttpRequest) -> TriggerOptions:
    """The options with the caller's place in its trace; headers that cannot be read are left out.

    Where this process traces requests, that is the request's, which is below the caller's.
    """
    headers = request.META.get("HTTP_TRACEPARENT"), request.META.get("HTTP_TRACESTATE")
    caller = telemetry.current() or tracing.parsed(*headers)
    if caller is None:
        return options
    return replace(options, traceparent=caller.header, tracestate=caller.state or None)


def check_members(body: dict[str, bodies.Member], known: set[str]) -> None:
    for name in body.keys() - known:
        raise ApiError(400, f"“{name[:60]}” is not a member of this body; see payload and options.")


def given_options(body: dict[str, bodies.Member]) -> dict[str, Any]:
    """The member `options`, empty where there is none."""
    given = body["options"].value if "options" in body else None
    if not isinstance(given, dict | None):
        raise ApiError(400, "options must be a JSON object.")
    return given or {}

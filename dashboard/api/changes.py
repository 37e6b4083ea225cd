"""What of runs that were triggered can be changed: when a delayed one starts, and their keys."""

from typing import Any

from dashboard.api import access, answers, bodies, objects, runs, schemas
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body, Text
from runs import lifecycle
from runs.errors import IllegalTransition
from runs.lifecycle import Edit, keys
from runs.states import RunStatus


class Delay(Body):
    """When it starts: a duration from now, or an ISO 8601 date."""

    delay: Text


class KeyOf(Body):
    """Whose key it is."""

    task_identifier: Text


@endpoint("POST", body=Delay, answers=answers.Run, tasks=access.task_of_run)
def reschedule(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """Let a delayed run start at another time."""
    body = bodies.values(request, required=True)
    delay = schemas.moment_or_seconds(Delay.read(body).delay, "delay")
    run = runs.found(run_id)
    if run.status != RunStatus.DELAYED:
        raise ApiError(400, f"Run {run.pk} is {run.status}; only a DELAYED run can be rescheduled.")
    try:
        lifecycle.edit(run.pk, Edit(delay=delay), actor=request.actor)
    except IllegalTransition as error:
        raise ApiError(400, str(error)) from error
    return objects.retrieved(runs.found(run_id), request)


@endpoint("POST", public=access.reset_key, body=KeyOf, answers=answers.Id, tasks=access.by_handler)
def reset_key(request: ApiRequest, key: str) -> dict[str, Any]:
    """Free an idempotency key of a task, given as it was or as its hash; the run stays."""
    body = bodies.values(request, required=True)
    task_id = KeyOf.read(body).task_identifier
    request.caller.require_tasks(task_id)
    if not keys.reset(task_id, key, actor=request.actor):
        raise ApiError(404, f"No run of task “{task_id[:60]}” has this key.", retry=False)
    return {"id": key}

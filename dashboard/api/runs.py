"""Runs: list, retrieve, cancel, replay."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.utils import timezone

from dashboard.api import (
    access,
    answers,
    bodies,
    objects,
    packets,
    pagination,
    queries,
    schemas,
    shapes,
)
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from runs import lifecycle
from runs.lifecycle import requests
from runs.models import Run
from runs.reads.deadline import deadline
from runs.reads.windows import floor_id

#: A list that takes longer is stopped.
SECONDS = 2.0
#: A run this young may sit in a transaction that has not committed yet.
YOUNG = timedelta(minutes=1)


@endpoint(
    "GET",
    public=access.read_runs,
    query=shapes.RunFilters,
    answers=answers.RunPage,
    tasks=access.by_handler,
)
def index(request: ApiRequest, project: str = "") -> dict[str, Any]:
    """A page of runs, newest first. The reference's project path names this one project too."""
    asked = queries.values(request.GET)
    page = pagination.page(asked)
    found = queries.runs(asked)
    if request.caller.tasks:
        found = found.filter(task_id__in=_restricted(request, asked))
    with deadline(SECONDS):
        return pagination.paged(found, page)


def _restricted(request: ApiRequest, asked: dict[str, str]) -> Collection[str]:
    """The tasks a key of some tasks sees: its own, or those of them it asks for."""
    named = [one for one in asked.get("filter[taskIdentifier]", "").split(",") if one]
    if named:
        request.caller.require_tasks(*named)
    return request.caller.tasks


@endpoint("GET", public=access.read_run, answers=answers.Run, tasks=access.task_of_run)
def retrieve(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """One run with payload and output."""
    return objects.retrieved(found(run_id), request)


@endpoint(
    "POST",
    public=access.cancel_run,
    body=schemas.Cancel | None,
    answers=answers.Id,
    tasks=access.task_of_run,
)
def cancel(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """Stop a run; a finished one stays as it is."""
    asked = schemas.Cancel.read(bodies.values(request))
    run = lifecycle.cancel(
        shaped(run_id),
        actor=request.actor,
        reason=asked.reason,
        keep_children=asked.keep_children,
    )
    return {"id": run.id}


@endpoint("POST", body=shapes.Replay | None, answers=answers.Id, tasks=access.task_of_run)
def replay(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """Run a run again as a new run, as it was or with changes."""
    body = bodies.read(request)
    changes = {name: member.value for name, member in body.items()}
    if "version" in changes:
        changes["lockToVersion"] = changes.pop("version")
    options = schemas.options(changes)
    given: Any = lifecycle.KEEP
    if "payload" in body:
        given = packets.text(body["payload"], changes.get("payloadType"))
    origin = shaped(run_id)
    made = requests.once(
        f"replay {origin}",
        request.headers.get("x-trigger-request-idempotency-key", ""),
        lambda: lifecycle.replay(origin, actor=request.actor, payload=given, options=options),
    )
    return {"id": made.run_id}


def found(run_id: str) -> Run:
    run = Run.objects.filter(pk=shaped(run_id)).defer("seed_metadata").first()
    if run is None:
        raise ApiError(404, f"There is no run {run_id}.", retry=is_young(run_id))
    return run


def is_young(run_id: str) -> bool:
    """Whether a run of this id may have been made a moment ago, and be seen in the next one."""
    now = timezone.now()
    return floor_id("run", now - YOUNG) <= run_id <= floor_id("run", now + YOUNG)


def shaped(run_id: str) -> str:
    """`run_id` if a run could have it, so nothing else reaches the database; else a 404."""
    if pagination.RUN_ID.fullmatch(run_id) is None:
        raise ApiError(404, "Not found: a run's id is run_ and 26 letters and digits.", retry=False)
    return run_id

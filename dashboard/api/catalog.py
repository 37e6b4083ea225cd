"""The tasks there are."""

from typing import Any, Literal, NotRequired

from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from dashboard.api import access, bodies, objects, offsets, queries, shapes, telling
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.schemas import Body, Text
from runs import lifecycle
from runs.models import Role, Task


class ListedTask(TypedDict):
    """A task as the clusters registered it."""

    id: str
    queue: str
    maxAttempts: int
    machine: str
    isActive: bool
    isBroken: bool
    paused: bool
    pausedAt: NotRequired[AwareDatetime]
    pausedBy: NotRequired[str]
    pausedReason: NotRequired[str]
    description: NotRequired[str]
    version: NotRequired[str]
    payloadSchema: NotRequired[dict[str, Any] | bool]


class TaskPage(TypedDict):
    """A page of tasks, by id."""

    data: list[ListedTask]
    pagination: telling.Pages


@endpoint("GET", tasks=access.by_handler, query=shapes.Numbered, answers=TaskPage)
def index(request: ApiRequest) -> dict[str, Any]:
    """A page of tasks, by id; those that no cluster has any more are not active."""
    asked = offsets.page(queries.values(request.GET, offsets.PARAMETERS))
    found = Task.objects.authored().order_by("pk")
    if request.caller.tasks:
        found = found.filter(pk__in=request.caller.tasks)
    return offsets.paged(found, asked, _told)


class TaskPause(Body):
    """Let none of its runs start any more, or let them again."""

    action: Literal["pause", "resume"]
    reason: Text = Field("", max_length=1000)


@endpoint("POST", role=Role.ADMIN, body=TaskPause, answers={200: ListedTask, 404: "No such task."})
def pause(request: ApiRequest, task_id: str) -> dict[str, Any]:
    """Have all runs of a task wait, whatever queue they stand in, or let them go on."""
    asked = TaskPause.read(bodies.values(request, required=True))
    if asked.action == "pause":
        return _told(lifecycle.pause_task(task_id, actor=request.actor, reason=asked.reason))
    return _told(lifecycle.resume_task(task_id, actor=request.actor))


def _told(task: Task) -> dict[str, Any]:
    return {
        "id": task.pk,
        "queue": task.queue,
        "maxAttempts": task.max_attempts,
        "machine": task.machine,
        "isActive": task.active,
        "isBroken": task.broken,
        "paused": task.paused_at is not None,
        **objects.present(
            description=task.description or None,
            version=task.version or None,
            pausedAt=objects.time(task.paused_at),
            pausedBy=task.paused_by or None,
            pausedReason=task.paused_reason or None,
            payloadSchema=objects.Raw(task.schema) if task.schema else None,
        ),
    }

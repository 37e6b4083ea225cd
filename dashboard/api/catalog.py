"""The tasks there are."""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from dashboard.api import access, objects, offsets, queries, shapes, telling
from dashboard.api.endpoint import ApiRequest, endpoint
from runs.models import Task


class ListedTask(TypedDict):
    """A task as the clusters registered it."""

    id: str
    queue: str
    maxAttempts: int
    machine: str
    isActive: bool
    isBroken: bool
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


def _told(task: Task) -> dict[str, Any]:
    return {
        "id": task.pk,
        "queue": task.queue,
        "maxAttempts": task.max_attempts,
        "machine": task.machine,
        "isActive": task.active,
        "isBroken": task.broken,
        **objects.present(
            description=task.description or None,
            version=task.version or None,
            payloadSchema=objects.Raw(task.schema) if task.schema else None,
        ),
    }

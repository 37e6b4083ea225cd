"""Queues: list, retrieve, pause and resume, override and reset their limits."""

from datetime import datetime
from typing import Any, Literal

from dashboard.api import bodies, objects, offsets, queries, schemas, shapes, telling
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body, Text
from runs import lifecycle
from runs.lifecycle import Limits
from runs.models import Queue, QueueKind, Role
from runs.reads.queues import Load, loads

ID = "queue_"
TASK = "task/"
#: What the reference says where a queue to pause is not there.
MISSING = "queue-not-found"
Kind = Literal["id", "task", "custom"]


class Named(Body):
    """How the address is to be read: an id, a task whose own queue it is, or a queue's name."""

    type: Kind = "id"


class Pause(Named):
    """Pause or resume."""

    action: Literal["pause", "resume"]
    reason: Text = ""


class Override(Named):
    """Limits that win over the code's. Those that are not named stay as they are overridden now."""

    concurrency_limit: int | None = None
    total_limit: int | None = None
    rate_limit: Text | None = None
    reason: Text = ""
    expires_at: Text | None = None


class Reset(Named):
    """Why."""

    reason: Text = ""


@endpoint("GET", query=shapes.Numbered, answers=telling.QueuePage)
def index(request: ApiRequest) -> dict[str, Any]:
    """A page of queues, by name."""
    asked = offsets.page(queries.values(request.GET, offsets.PARAMETERS))
    load = loads()
    return offsets.paged(Queue.objects.all(), asked, lambda row: _told(row, load.get(row.pk)))


@endpoint("GET", query=Named, answers=telling.Queue)
def retrieve(request: ApiRequest, name: str) -> dict[str, Any]:
    """One queue."""
    asked = Named.read(queries.values(request.GET, {"type"}))
    return _answer(_found(name, asked.type))


@endpoint("POST", role=Role.ADMIN, body=Pause, answers=telling.Queue)
def pause(request: ApiRequest, name: str) -> dict[str, Any]:
    """Let none of its runs start any more, or let them again."""
    asked = Pause.read(_body(request))
    queue = _found(name, asked.type, MISSING)
    if asked.action == "pause":
        return _answer(lifecycle.pause(queue.name, actor=request.actor, reason=asked.reason))
    return _answer(lifecycle.resume(queue.name, actor=request.actor))


@endpoint("POST", role=Role.ADMIN, body=Override | None, answers=telling.Queue)
def override(request: ApiRequest, name: str) -> dict[str, Any]:
    """Set other limits than the code's, until reset or until `expiresAt`."""
    asked = Override.read(_body(request))
    queue = _found(name, asked.type)
    changed = lifecycle.override_limits(
        queue.name,
        Limits(
            queue.override_limit if asked.concurrency_limit is None else asked.concurrency_limit,
            queue.override_total if asked.total_limit is None else asked.total_limit,
            queue.override_rate if asked.rate_limit is None else asked.rate_limit,
        ),
        actor=request.actor,
        reason=asked.reason,
        expires_at=_until(asked.expires_at),
    )
    return _answer(changed)


@endpoint("POST", role=Role.ADMIN, body=Reset | None, answers=telling.Queue)
def reset(request: ApiRequest, name: str) -> dict[str, Any]:
    """Back to the code's limits; a 400 where nothing is overridden."""
    asked = Reset.read(_body(request))
    queue = _found(name, asked.type)
    return _answer(lifecycle.reset_limit(queue.name, actor=request.actor, reason=asked.reason))


def _body(request: ApiRequest) -> dict[str, Any]:
    return bodies.values(request)


def _until(text: str | None) -> datetime | None:
    return None if text is None else schemas.moment(text, "expiresAt")


def _found(name: str, kind: Kind, refusal: str = "") -> Queue:
    """Clients write a slash in a name as %2F and encode that once more. Raises a 404."""
    name = name.replace("%2F", "/").replace("\x00", "")
    if kind == "id":
        number = name.removeprefix(ID)
        is_id = name.startswith(ID) and number.isascii() and number.isdecimal()
        found = Queue.objects.filter(pk=int(number)) if is_id and len(number) < 19 else None
    else:
        found = Queue.objects.filter(name=f"{TASK}{name}" if kind == "task" else name)
    queue = found.first() if found is not None else None
    if queue is None:
        problem = f"There is no queue {name[:140]!r} (type={kind})."
        details = [{"path": "queue", "message": problem}] if refusal else None
        raise ApiError(404, refusal or problem, retry=False, details=details)
    return queue


def _answer(queue: Queue) -> dict[str, Any]:
    return _told(queue, loads().get(queue.pk))


def _told(queue: Queue, load: Load | None) -> dict[str, Any]:
    load = load or Load()
    is_task = queue.kind == QueueKind.TASK
    return {
        "id": f"{ID}{queue.pk}",
        "name": queue.name.removeprefix(TASK) if is_task else queue.name,
        "type": "task" if is_task else "custom",
        "running": load.running,
        "queued": load.queued,
        "paused": queue.paused,
        "concurrencyLimit": queue.limit,
        "concurrency": {
            "current": queue.limit,
            "base": queue.concurrency_limit,
            "override": queue.override_limit,
            "overriddenAt": objects.time(queue.overridden_at),
            "overriddenBy": queue.overridden_by or None,
        },
        **objects.present(
            totalLimit=queue.total,
            rateLimit=queue.rate.text if queue.rate else None,
            overrideReason=queue.override_reason or None,
            overrideExpiresAt=objects.time(queue.override_expires_at),
            pausedAt=objects.time(queue.paused_at),
            pausedBy=queue.paused_by or None,
            pausedReason=queue.paused_reason or None,
        ),
    }

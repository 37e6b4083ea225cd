"""What operators do: edit and unlock runs, purge, stop all queues, see to keys."""

from collections.abc import Sequence
from typing import Any

from trackside import packets
from trackside.calls.common import Duration, Moment, ask, at, given, numbered, spoken, told
from trackside.calls.tasks import NOTHING
from trackside.models import Run
from trackside.steps import Call, Items, Request
from trackside.upkeepmodels import ApiKey, NewApiKey, Purged, TaskFacts

Words = str | Sequence[str]


def edit(
    run_id: str,
    payload: Any = NOTHING,
    *,
    priority: float | None = None,
    queue: str | None = None,
    delay: Moment | None = None,
    reason: str | None = None,
) -> Call[Run]:
    """Change a run that was never started; a `delay` of 0 lets it start at once."""
    body = given(priority=priority, queue=queue, reason=reason)
    if delay is not None:
        body["delay"] = spoken(delay)
    if payload is not NOTHING:
        path = yield from packets.offloaded(payload)
        body |= {"payload": path or payload}
        body |= {"payloadType": packets.STORED} if path else {}
    return (yield from ask(Request("POST", at("/api/v1/runs/{}/edit", run_id), body=body), Run))


def unlock(run_id: str) -> Call[Run]:
    """Let a run go on with any version of the task code."""
    return ask(Request("POST", at("/api/v1/runs/{}/unlock", run_id)), Run)


def purge(
    *,
    queue: Words | None = None,
    task: Words | None = None,
    tag: Words | None = None,
    key: Words | None = None,
    status: Words | None = None,
    older_than: Duration | None = None,
    reason: str | None = None,
) -> Call[int]:
    """Cancel all runs of a selection that were never started; how many."""
    body = _selection(queue, task, tag, key, status, older_than) | given(reason=reason)
    count = 0
    while True:
        done = yield from ask(Request("POST", "/api/v1/purges", body=body), Purged)
        count += done.count
        if not done.is_more:
            return count


def purgeable(
    *,
    queue: Words | None = None,
    task: Words | None = None,
    tag: Words | None = None,
    key: Words | None = None,
    status: Words | None = None,
    older_than: Duration | None = None,
) -> Call[Purged]:
    """How many `purge` would cancel, some thousands at most."""
    body = _selection(queue, task, tag, key, status, older_than) | {"dryRun": True}
    return ask(Request("POST", "/api/v1/purges", body=body), Purged)


def _selection(
    queue: Words | None,
    task: Words | None,
    tag: Words | None,
    key: Words | None,
    status: Words | None,
    older_than: Duration | None,
) -> dict[str, Any]:
    body = given(queue=queue, task=task, tag=tag, key=key, status=status)
    return body if older_than is None else body | {"olderThan": spoken(older_than)}


def pause_all(*, reason: str | None = None) -> Call[int]:
    """Pause all queues, also those that are made later; how many there were."""
    return told(
        Request("POST", "/api/v1/pauses", body=given(action="pause", reason=reason)), "count"
    )


def resume_all() -> Call[int]:
    """Open the queues that `pause_all` closed; how many."""
    return told(Request("POST", "/api/v1/pauses", body={"action": "resume"}), "count")


def tasks(*, limit: int | None = None) -> Items[TaskFacts]:
    """The tasks the clusters have, by id."""
    return numbered("/api/v1/tasks", TaskFacts, limit)


def pause_task(task_id: str, *, reason: str | None = None) -> Call[TaskFacts]:
    """Start no run of a task any more, whatever queue it stands in."""
    body = given(action="pause", reason=reason)
    return ask(Request("POST", at("/api/v1/tasks/{}/pause", task_id), body=body), TaskFacts)


def resume_task(task_id: str) -> Call[TaskFacts]:
    """Start them again, in their order."""
    body = {"action": "resume"}
    return ask(Request("POST", at("/api/v1/tasks/{}/pause", task_id), body=body), TaskFacts)


def keys(*, limit: int | None = None) -> Items[ApiKey]:
    """All API keys by name, without their text."""
    return numbered("/api/v1/api-keys", ApiKey, limit)


def create_key(
    name: str,
    *,
    role: str | None = None,
    tasks: Words | None = None,
    expires_in: Duration | None = None,
) -> Call[NewApiKey]:
    """Make a key, whose `key` is told this once. Without a role it may do everything."""
    body = given(name=name, role=role, tasks=tasks)
    if expires_in is not None:
        body["expiresIn"] = spoken(expires_in)
    return ask(Request("POST", "/api/v1/api-keys", body=body), NewApiKey)


def revoke_key(name: str) -> Call[ApiKey]:
    """Refuse a key from now on, with every public token it signed."""
    return ask(Request("POST", at("/api/v1/api-keys/{}/revoke", name)), ApiKey)

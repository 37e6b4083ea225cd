"""Batches: triggering many runs under one id, and asking how they stand (features.md section 10)."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.runtime import BatchWish, Launch, installed
from engine.sdk.andwait import TaskItem, mixed
from engine.sdk.durable import active, launcher
from engine.sdk.handles import BatchHandle, handle
from engine.sdk.idempotency import bound
from runs.durations import seconds
from runs.errors import InvalidOption
from runs.ids import encode, new_id

PREFIX = "batch_"
LaunchById = Callable[[str, Any, Mapping[str, Any]], Launch]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchInfo:
    """How a batch stood when it was asked for.

    `status` is "PROCESSING" while a run of it is open, then "COMPLETED", however they ended. `runs`
    are ids in the order they were asked for; runs that retention removed are missing.
    """

    id: str
    status: str
    run_count: int
    runs: list[str]
    successful_run_count: int
    failed_run_count: int
    idempotency_key: str | None
    created_at: datetime
    updated_at: datetime


class Batches:
    """Batches over one or several tasks.

    Example:
        sent = batch.trigger([{"task": resize, "payload": a}, {"task": "mail", "payload": b}])
        batch.retrieve(sent.id).status
    """

    def __init__(self, launch_by_id: LaunchById) -> None:
        self._launch_by_id = launch_by_id

    def trigger(
        self,
        items: Iterable[TaskItem],
        *,
        idempotency_key: Any = None,
        idempotency_key_ttl: Any = None,
    ) -> BatchHandle[Any]:
        """Make runs of several tasks, all or none."""
        launches = mixed(self._launch_by_id, items)
        return triggered(launches, idempotency_key, idempotency_key_ttl)

    def retrieve(self, batch_id: Any) -> BatchInfo:
        """How a batch stands. Raises NotFound."""
        if not isinstance(batch_id, str) or not batch_id.startswith(PREFIX):
            raise InvalidOption(
                "batch_id", f"A batch's id ({PREFIX}…) is needed; got {batch_id!r:.60}."
            )
        return BatchInfo(**installed().retrieve_batch(batch_id))


def triggered(launches: Sequence[Launch], key: Any = None, key_ttl: Any = None) -> BatchHandle[Any]:
    """The runs of a batch: made, or found by the batch's key or by the body that comes back."""
    wish = BatchWish(
        id=fresh_id(),
        key=None if key is None else bound(key).text,
        key_ttl=None if key_ttl is None else seconds(key_ttl, "idempotency_key_ttl"),
    )
    tasks = [launch.task_id for launch in launches]
    if wish.key is not None or not launches:
        done = installed().trigger_batch(launches, wish)
        batch_id, made, is_cached = done.id, done.runs, done.is_cached
    else:
        members = [replace(one, options={**one.options, "batch_id": wish.id}) for one in launches]
        batch_id, made, is_cached = wish.id, launcher().trigger_many(members), False
    handles = [handle(task, run) for task, run in zip(tasks, made, strict=False)]
    return BatchHandle(batch_id, handles, is_cached=is_cached)


def fresh_id() -> str:
    """The id of a batch that is made now; in a body the same when it comes back from a wait."""
    replay = active()
    if replay is None:
        return new_id("batch")
    place = f"{replay.batch_id()} {replay.attempt}"
    return PREFIX + encode(int.from_bytes(hashlib.sha256(place.encode()).digest()[:16]))

"""Queues. One is named by its id, or with `kind` by its name or by the task whose own it is."""

from typing import Any, Literal

from trackside.calls.common import Moment, ask, at, given, numbered, spoken
from trackside.models import Queue
from trackside.steps import Call, Items, Request

Kind = Literal["id", "task", "custom"]


def retrieve(queue: str, *, kind: Kind | None = None) -> Call[Queue]:
    """One queue."""
    return ask(Request("GET", _at(queue), {"type": _kind(queue, kind)}), Queue)


def every(*, limit: int | None = None) -> Items[Queue]:
    """All queues by name, page after page."""
    return numbered("/api/v1/queues", Queue, limit)


def pause(queue: str, *, kind: Kind | None = None, reason: str | None = None) -> Call[Queue]:
    """Let none of its runs start any more."""
    return _do(queue, "pause", kind, action="pause", reason=reason)


def resume(queue: str, *, kind: Kind | None = None) -> Call[Queue]:
    """Let its runs start again."""
    return _do(queue, "pause", kind, action="resume")


def override(
    queue: str,
    concurrency_limit: int | None = None,
    *,
    kind: Kind | None = None,
    total_limit: int | None = None,
    rate_limit: str | None = None,
    reason: str | None = None,
    expires_at: Moment | None = None,
) -> Call[Queue]:
    """Set other limits than the code's, until reset or `expires_at`."""
    until = None if expires_at is None else spoken(expires_at)
    return _do(
        queue,
        "concurrency/override",
        kind,
        concurrency_limit=concurrency_limit,
        total_limit=total_limit,
        rate_limit=rate_limit,
        reason=reason,
        expires_at=until,
    )


def reset(queue: str, *, kind: Kind | None = None, reason: str | None = None) -> Call[Queue]:
    """Back to the code's limits."""
    return _do(queue, "concurrency/reset", kind, reason=reason)


def _do(queue: str, verb: str, kind: Kind | None, **said: Any) -> Call[Queue]:
    body = given(type=_kind(queue, kind), **said)
    return ask(Request("POST", f"{_at(queue)}/{verb}", body=body), Queue)


def _kind(queue: str, kind: Kind | None) -> str:
    return kind or ("id" if queue.startswith("queue_") else "custom")


def _at(queue: str) -> str:
    # a slash in a name would end the name: it is encoded before the whole is
    return at("/api/v1/queues/{}", queue.replace("/", "%2F"))

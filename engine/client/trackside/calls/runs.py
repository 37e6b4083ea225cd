"""Look at runs and act on them."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from trackside import packets
from trackside.calls.common import (
    Duration,
    Moment,
    ask,
    at,
    cursored,
    done,
    filters,
    given,
    spoken,
    times,
    told,
)
from trackside.errors import RunFailed, StillRunning
from trackside.models import Handle, Result, Run, RunFacts
from trackside.steps import Call, Items, Pause, Request

Words = str | Sequence[str]
#: Seconds between two looks at a run: from the first to the second, and at most.
SOON, LATER = 0.25, 2.0


def retrieve(run_id: str) -> Call[Run]:
    """One run with payload and output."""
    run = yield from ask(Request("GET", at("/api/v3/runs/{}", run_id)), Run)
    fetched = {}
    for name, url in (("payload", run.payload_presigned_url), ("output", run.output_presigned_url)):
        if url and getattr(run, name) is None:
            fetched[name] = yield from packets.downloaded(url)
    return run.model_copy(update=fetched) if fetched else run


def payload(run_id: str) -> Call[Any]:
    """What it was given, however large; NotFound where it was given nothing."""
    return _downloaded(run_id, "payload")


def output(run_id: str) -> Call[Any]:
    """What it returned, however large; NotFound where there is nothing yet."""
    return _downloaded(run_id, "output")


def _downloaded(run_id: str, field: str) -> Call[Any]:
    path = at("/api/v1/runs/{}/packets/{}", run_id, field)
    address = yield from told(Request("GET", path), "presignedUrl")
    return (yield from packets.downloaded(address))


def every(  # noqa: PLR0913  # one for each filter
    *,
    status: Words | None = None,
    task: Words | None = None,
    tag: Words | None = None,
    version: Words | None = None,
    queue: Words | None = None,
    machine: Words | None = None,
    batch: str | None = None,
    schedule: str | None = None,
    is_test: bool | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    period: Duration | None = None,
    limit: int | None = None,
) -> Items[RunFacts]:
    """Runs, newest first, page after page. Without `start`, `end` or `period` of seven days."""
    wanted = filters(
        status=status,
        task_identifier=task,
        tag=tag,
        version=version,
        queue=queue,
        machine=machine,
        batch=batch,
        schedule=schedule,
        is_test=is_test,
    )
    return cursored("/api/v1/runs", wanted | times(start, end, period), RunFacts, limit)


def poll(run_id: str, *, timeout: float | None = None) -> Call[Run]:
    """Look at a run until it has ended, however it ended. Raises StillRunning."""
    begun, pause = time.monotonic(), SOON
    while True:
        run = yield from retrieve(run_id)
        if run.is_final:
            return run
        left = pause if timeout is None else begun + timeout - time.monotonic()
        if left <= 0:
            raise StillRunning(run, timeout or 0)
        yield Pause(min(pause, left))
        pause = min(pause * 1.5, LATER)


def wait(run_id: str, *, timeout: float | None = None) -> Call[Run]:
    """Look at a run until it has completed. Raises RunFailed and StillRunning."""
    run = yield from poll(run_id, timeout=timeout)
    if not run.is_success:
        raise RunFailed(run)
    return run


def cancel(run_id: str, *, reason: str | None = None, keep_children: bool = False) -> Call[None]:
    """Stop a run; a finished one stays as it is."""
    body = given(reason=reason, keep_children=keep_children or None)
    return done(Request("POST", at("/api/v2/runs/{}/cancel", run_id), body=body))


def replay(run_id: str, **changes: Any) -> Call[Handle]:
    """Run it again as a new run: as it was, or with another `payload` and other options."""
    body: dict[str, Any] = {}
    if "payload" in changes:
        given_one = changes.pop("payload")
        path = yield from packets.offloaded(given_one)
        body = {"payload": path or given_one}
        body |= {"payloadType": packets.STORED} if path else {}
    for name in ("delay", "ttl", "idempotency_key_ttl"):
        if changes.get(name) is not None:
            changes[name] = spoken(changes[name])
    queue = changes.get("queue")
    if isinstance(queue, str):
        changes["queue"] = {"name": queue}
    where = at("/api/v1/runs/{}/replay", run_id)
    return (yield from ask(Request("POST", where, body=given(**changes) | body), Handle))


def reschedule(run_id: str, delay: Moment) -> Call[Run]:
    """Let a delayed run start at another time."""
    path = at("/api/v1/runs/{}/reschedule", run_id)
    return ask(Request("POST", path, body={"delay": str(spoken(delay))}), Run)


def add_tags(run_id: str, tags: Words) -> Call[None]:
    """Add tags, all or none."""
    body = {"tags": [tags] if isinstance(tags, str) else list(tags)}
    return done(Request("POST", at("/api/v1/runs/{}/tags", run_id), body=body))


def metadata(run_id: str) -> Call[dict[str, Any]]:
    """What its metadata is."""
    return told(Request("GET", at("/api/v1/runs/{}/metadata", run_id)), "metadata")


def update_metadata(
    run_id: str,
    metadata: Mapping[str, Any] | None = None,
    *,
    operations: Sequence[Mapping[str, Any]] | None = None,
    parent_operations: Sequence[Mapping[str, Any]] | None = None,
    root_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Call[dict[str, Any]]:
    """Replace its metadata, or apply operations; what it is then."""
    body = given(
        metadata=metadata,
        operations=operations,
        parent_operations=parent_operations,
        root_operations=root_operations,
    )
    return told(Request("PUT", at("/api/v1/runs/{}/metadata", run_id), body=body), "metadata")


def result(run_id: str) -> Call[Result]:
    """How it ended; NotFound until it has."""
    return ask(Request("GET", at("/api/v1/runs/{}/result", run_id)), Result)


def trace(run_id: str) -> Call[dict[str, Any]]:
    """What it did, as a tree."""
    return _plain(Request("GET", at("/api/v1/runs/{}/trace", run_id)))


def events(run_id: str) -> Call[list[dict[str, Any]]]:
    """The same as a list."""
    return told(Request("GET", at("/api/v1/runs/{}/events", run_id)), "events")


def _plain(request: Request) -> Call[dict[str, Any]]:
    found: dict[str, Any] = (yield request).json()
    return found

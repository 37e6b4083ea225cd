"""Trigger tasks, one by one and in batches."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack, cast

from trackside import packets
from trackside.calls import runs
from trackside.calls.common import Duration, Moment, ask, at, given, spoken
from trackside.errors import BatchNotSealed
from trackside.models import Batch, BatchHandle, Handle, Result, Run, shaped
from trackside.steps import Call, Pause, Request

#: Times the items of a batch are sent before it is given up.
SENDINGS = 5
NDJSON = {"content-type": "application/x-ndjson"}
NOTHING: Any = type("Nothing", (), {"__repr__": lambda self: "NOTHING"})()


class Debounce(TypedDict, total=False):
    """Triggers with one key within the delay become one run."""

    key: str
    delay: str
    mode: str
    maxDelay: str


class Options(TypedDict, total=False):
    """How and when a run starts. Durations are text like "1h30m", seconds, or a timedelta."""

    queue: str
    concurrency_key: str
    idempotency_key: str
    idempotency_key_ttl: Duration
    delay: Moment
    ttl: Duration
    tags: str | Sequence[str]
    metadata: Mapping[str, Any]
    max_attempts: int
    max_duration: float
    machine: str
    priority: float
    lock_to_version: str
    debounce: Debounce
    parent_run_id: str
    test: bool


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One run of a batch."""

    task: str
    payload: Any = NOTHING
    options: Options = field(default_factory=lambda: Options())


def wired(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options in the names and forms of the wire."""
    made = given(**options)
    for name in ("delay", "idempotencyKeyTTL", "ttl"):
        if name in made:
            made[name] = spoken(made[name])
    if isinstance(made.get("queue"), str):
        made["queue"] = {"name": made["queue"]}
    return made


def trigger(task: str, payload: Any = NOTHING, **options: Unpack[Options]) -> Call[Handle]:
    """Make a run of a task. Options: see `trackside.Options`."""
    body = yield from with_payload({"options": wired(options)}, payload)
    answer = yield Request("POST", at("/api/v1/tasks/{}/trigger", task), body=body)
    told = answer.json() | _token(answer.headers)
    return shaped(told, Handle)


def batch_trigger(
    task: str,
    payloads: Iterable[Any],
    *,
    idempotency_key: str | None = None,
    **options: Any,
) -> Call[BatchHandle]:
    """One run of one task for each payload, all with the same options."""
    items = [BatchItem(task, payload, cast(Options, options)) for payload in payloads]
    return batch(items, idempotency_key=idempotency_key)


def batch(
    items: Iterable[BatchItem],
    *,
    idempotency_key: str | None = None,
    idempotency_key_ttl: Duration | None = None,
    parent_run_id: str | None = None,
) -> Call[BatchHandle]:
    """Open a batch, then send its items as lines. Raises BatchNotSealed."""
    whole = list(items)
    opening = given(
        run_count=len(whole),
        task_identifiers=sorted({item.task for item in whole}),
        idempotency_key=idempotency_key,
        parent_run_id=parent_run_id,
    )
    if idempotency_key_ttl is not None:
        opening["idempotencyKeyTTL"] = spoken(idempotency_key_ttl)
    answer = yield Request("POST", "/api/v3/batches", body=opening)
    handle = shaped(answer.json() | _token(answer.headers), BatchHandle)
    if not handle.is_cached:
        yield from _send_items(handle, whole)
    return handle


def _send_items(handle: BatchHandle, items: Sequence[BatchItem]) -> Call[None]:
    """Send all lines again until none is missing: the server knows them by their index."""
    path, told = at("/api/v3/batches/{}/items", handle.id), {}
    placed = yield from _placed(items)
    for number in range(SENDINGS):
        if number:
            yield Pause(float(number))
        answer = yield Request("POST", path, lines=lambda: _lines(items, placed), headers=NDJSON)
        told = answer.json()
        if told.get("sealed"):
            return
    raise BatchNotSealed(handle.id, told.get("enqueuedCount", 0), len(items))


def _placed(items: Sequence[BatchItem]) -> Call[dict[int, str]]:
    """Where the large payloads were uploaded to, by the places of their items."""
    paths = {}
    for index, item in enumerate(items):
        path = yield from _path(item.payload)
        if path is not None:
            paths[index] = path
    return paths


def _lines(items: Sequence[BatchItem], placed: Mapping[int, str]) -> Iterator[bytes]:
    for index, item in enumerate(items):
        line = {"index": index, "task": item.task, "options": wired(item.options)}
        whole = _with(line, item.payload, placed.get(index))
        yield json.dumps(whole, allow_nan=False).encode() + b"\n"


def retrieve_batch(batch_id: str) -> Call[Batch]:
    """How a batch stands."""
    return ask(Request("GET", at("/api/v2/batches/{}", batch_id)), Batch)


def batch_results(batch_id: str) -> Call[list[Result]]:
    """How those runs of a batch ended that have."""
    answer = yield Request("GET", at("/api/v1/batches/{}/results", batch_id))
    return [shaped(one, Result) for one in answer.json()["items"]]


def trigger_and_wait(
    task: str, payload: Any = NOTHING, *, timeout: float | None = None, **options: Unpack[Options]
) -> Call[Run]:
    """Make a run and look at it until it has ended. Raises RunFailed and StillRunning."""
    handle = yield from trigger(task, payload, **options)
    return (yield from runs.wait(handle.id, timeout=timeout))


def with_payload(body: dict[str, Any], payload: Any) -> Call[dict[str, Any]]:
    """`body` with the payload, or with where a large one was uploaded to."""
    return _with(body, payload, (yield from _path(payload)))


def _path(payload: Any) -> Call[str | None]:
    return None if payload is NOTHING else (yield from packets.offloaded(payload))


def _with(body: dict[str, Any], payload: Any, path: str | None) -> dict[str, Any]:
    if path is not None:
        options = {**body.get("options", {}), "payloadType": packets.STORED}
        return {**body, "payload": path, "options": options}
    return body if payload is NOTHING else {**body, "payload": payload}


def _token(headers: Mapping[str, str]) -> dict[str, str]:
    found = headers.get("x-trigger-jwt")
    return {"publicAccessToken": found} if found else {}

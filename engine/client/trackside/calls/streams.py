"""Streams of runs: read what they give out as it comes, write to them, send messages to their inputs."""

import json
import uuid
from collections.abc import AsyncIterable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from trackside.calls.common import at, done
from trackside.calls.tasks import NDJSON
from trackside.errors import ConnectionFailed, ServerError, TracksideError
from trackside.events import Events
from trackside.models import Chunk, shaped
from trackside.outgoing import Outgoing
from trackside.steps import Call, Item, Items, More, Pause, Request

Target = Literal["self", "parent", "root"]
#: Seconds a reader waits for a chunk, and for anything at all: the server sends a sign of life.
QUIET, DEAD = 60.0, 45.0
#: Seconds after a loss, by which each pause is longer than the one before, and the longest.
BREATH, LONGEST_BREATH = 0.5, 5.0


def keys(run_id: str) -> Call[list[str]]:
    """The keys of what the run has given out."""
    where = at("/realtime/v1/runs/{}", run_id)
    query = {"offset": "-1", "log": "full", "skipColumns": "payload,output,metadata,error"}
    messages = (yield Request("GET", where, query)).json()
    rows = [one["value"] for one in messages if "value" in one]
    return list(rows[0].get("realtimeStreams", [])) if rows else []


def read(
    run_id: str,
    key: str,
    *,
    after: str | Chunk | None = None,
    start: int = 0,
    latest: bool = False,
    timeout: float = QUIET,
) -> Items[Any]:
    """The values of a stream: those there are, and those that come, until the run has ended.

    It begins with the chunk number `start`, behind the chunk `after`, or with `latest` with what comes
    from now on; and it ends where `timeout` seconds pass without one. A lost connection is made anew
    behind the last chunk, for as long.
    """
    path = at("/realtime/v1/streams/{}/{}", run_id, key)
    return _values(_followed(path, _place(after, start, latest), timeout))


def chunks(
    run_id: str,
    key: str,
    *,
    after: str | Chunk | None = None,
    start: int = 0,
    latest: bool = False,
    timeout: float = QUIET,
) -> Items[Chunk]:
    """The same with the number and time of each, and the id to go on behind another time."""
    path = at("/realtime/v1/streams/{}/{}", run_id, key)
    return _followed(path, _place(after, start, latest), timeout)


def messages(
    run_id: str,
    key: str,
    *,
    after: str | Chunk | None = None,
    start: int = 0,
    latest: bool = False,
    timeout: float = QUIET,
) -> Items[Any]:
    """What is sent to an input of a run, as `read` tells what is given out."""
    path = at("/realtime/v1/streams/{}/input/{}", run_id, key)
    return _values(_followed(path, _place(after, start, latest), timeout))


def append(run_id: str, key: str, chunk: Any, *, target: Target = "self") -> Call[None]:
    """Append one value with a JSON form to a stream of the run, of its parent, or of its root."""
    yield from write(run_id, key, [chunk], target=target)


def write(
    run_id: str,
    key: str,
    chunks: Iterable[Any] | AsyncIterable[Any],
    *,
    target: Target = "self",
) -> Call[int]:
    """Append the values of an iterable as they are made; how many there were.

    Each is sent at once and stored once, also where a connection is lost meanwhile. An AsyncClient
    takes async iterables too.
    """
    outgoing, writer = Outgoing(chunks), uuid.uuid4().hex
    path = at("/realtime/v1/streams/{}/{}/{}", run_id, target, key)
    while not outgoing.is_over:
        numbered = {"x-client-id": writer, "x-resume-from-chunk": str(outgoing.first)}
        yield Request("POST", path, lines=outgoing.lines, headers=NDJSON | numbered)
        outgoing.arrived()
    return outgoing.first


def send(run_id: str, key: str, data: Any = None) -> Call[None]:
    """Send a message to an input of a run that has not ended; it may wait for it."""
    path = at("/realtime/v1/streams/{}/input/{}", run_id, key)
    return done(Request("POST", path, body={"data": data}))


def _place(after: str | Chunk | None, start: int, latest: bool) -> dict[str, str]:
    """Where to begin, as headers."""
    if after is not None:
        return {"last-event-id": after.id if isinstance(after, Chunk) else after}
    if start:
        return {"last-event-id": str(start - 1)}
    return {"x-trigger-stream-start": "latest"} if latest else {}


def _followed(path: str, place: dict[str, str], timeout: float) -> Items[Chunk]:
    pause = waited = 0.0
    limit = {"timeout-seconds": str(max(1, round(timeout)))}
    attempts: int | None = None
    while True:
        headers = {"accept": "text/event-stream", **limit, **place}
        asked = Request("GET", path, headers=headers, opens=True, timeout=DEAD)
        try:
            yield replace(asked, max_attempts=attempts)
            attempts, events = 1, Events()
            while (piece := (yield More())) is not None:
                for chunk in _chunks(events.fed(piece)):
                    place, pause, waited = {"last-event-id": chunk.id}, 0.0, 0.0
                    yield Item(chunk)
            return
        except (ConnectionFailed, ServerError):
            # a server that restarts is away for a while, and the stream goes on
            pause = min(pause + BREATH, LONGEST_BREATH)
            if attempts is None or waited + pause > timeout:
                raise
            waited += pause
            yield Pause(pause)


def _values(found: Items[Chunk]) -> Items[Any]:
    """The same without what stands around the values."""
    said: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = found.send(said) if error is None else found.throw(error)
        except StopIteration:
            return
        said = error = None
        try:
            said = yield (Item(step.value.value) if isinstance(step, Item) else step)
        except TracksideError as problem:
            error = problem


def _chunks(events: Iterable[tuple[str, str]]) -> Iterator[Chunk]:
    for event_id, data in events:
        at_ms, _, number = event_id.rpartition("-")
        facts = {"id": event_id, "number": number, "at": int(at_ms or 0) / 1000}
        yield shaped({**facts, "value": json.loads(data)}, Chunk)

"""Writing to streams from outside, and sending to the inputs of runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from dashboard.api import access, bodies
from dashboard.api.auth import WRITE, Caller
from dashboard.api.errors import ApiError
from dashboard.realtime import sse
from dashboard.realtime.asgi import Exchange, Gone
from dashboard.realtime.callers import counted
from dashboard.realtime.hub import Hub
from dashboard.realtime.subscriptions import RUN_ID
from dashboard.realtime.work import threaded
from runs import conf, payloads
from runs.errors import NotFound
from runs.lifecycle import streams
from runs.lifecycle.streams import StreamClosed, Writer
from runs.models import Run

#: Seconds without a byte after which a writer has left.
PATIENCE = 120.0
#: Lines, and bytes of them, that are stored together.
TOGETHER, MOST_BYTES = 200, 500_000
#: Seconds a line waits for others.
SOON = 0.2
TARGETS = {"self": "id", "parent": "parent_id", "root": "root_id"}


async def into(
    exchange: Exchange, hub: Hub, caller: Caller, run_id: str, target: str, key: str
) -> None:
    """Open a stream by PUT, write lines to it by POST, ask by HEAD what is there."""
    exchange.allow(["PUT", "POST", "HEAD"])
    owner = await _owner(caller, run_id, target)
    if exchange.method == "PUT":
        await _stored(owner, key, [], None)
        await exchange.answer(202, {"version": "v1"})
        return
    name = _writer(exchange)
    if exchange.method == "HEAD":
        count = await threaded(streams.taken, owner, key, name)
        await exchange.answer(200, None, {"x-last-chunk-index": str(count - 1)})
        return
    before = _number(exchange.headers.get("x-resume-from-chunk", "0"))
    async for lines in _batches(exchange):
        chunks = [_chunk(line) for line in lines]
        await _stored(owner, key, chunks, Writer(name, before))
        before += len(chunks)
    await exchange.answer(200, {"ok": True})


async def append(
    exchange: Exchange, hub: Hub, caller: Caller, run_id: str, target: str, key: str
) -> None:
    """Append the body, as one chunk of text."""
    exchange.allow(["POST"])
    owner = await _owner(caller, run_id, target)
    body = await _whole(exchange, int(conf.get("STREAM_CHUNK_LIMIT")))
    try:
        text = json.dumps(body.decode())
    except UnicodeDecodeError:
        raise ApiError(400, "The body is not UTF-8.") from None
    await _stored(owner, key, [text], None)
    await exchange.answer(200, {"ok": True})


async def give(exchange: Exchange, hub: Hub, caller: Caller, run_id: str, key: str) -> None:
    """Send to an input of a run by POST; follow it by GET."""
    exchange.allow(["GET", "POST"])
    if exchange.method == "GET":
        await sse.follow(exchange, hub, caller, run_id, key, is_input=True)
        return
    _check(run_id)
    caller.require(WRITE, ("inputStreams", run_id))
    await counted(caller)
    await threaded(access.require_runs, caller, [run_id])
    body = await _whole(exchange, int(conf.get("STREAM_CHUNK_LIMIT")) + 1000)
    data = bodies.members(payloads.clean(body), "The body").get("data")
    text = "null" if data is None else data.text
    await _refusing(streams.send, run_id, key, text, by=caller.actor)
    await exchange.answer(200, {"ok": True})


async def _owner(caller: Caller, run_id: str, target: str) -> str:
    """The run whose stream is meant; raises a 401, 403 or 404."""
    if caller.is_public:
        raise ApiError(401, "Public tokens are not accepted here; send a secret key.")
    _check(run_id)
    caller.require(WRITE, ("runs", run_id))
    await counted(caller)
    await threaded(access.require_runs, caller, [run_id])
    column = TARGETS.get(target)
    if column is None:
        raise ApiError(404, "Streams are those of self, parent or root.", retry=False)
    found = await threaded(Run.objects.filter(pk=run_id).values_list("id", column).first)
    if found is None:
        raise ApiError(404, "Not found", retry=False)
    owner = str(found[1] or found[0])
    await threaded(access.require_runs, caller, [owner])
    return owner


def _check(run_id: str) -> None:
    if RUN_ID.fullmatch(run_id) is None:
        raise ApiError(404, "Not found", retry=False)


async def _stored(run_id: str, key: str, chunks: list[str], writer: Writer | None) -> None:
    await _refusing(streams.append, run_id, key, chunks, writer=writer)


async def _refusing(call: Any, *arguments: Any, **named: Any) -> None:
    try:
        await threaded(lambda: call(*arguments, **named))
    except StreamClosed as error:
        raise ApiError(400, str(error)) from None
    except NotFound as error:
        raise ApiError(404, str(error), retry=False) from None


def _writer(exchange: Exchange) -> str:
    name = exchange.headers.get("x-client-id", "default")
    if not (1 <= len(name) <= streams.LONGEST_WRITER and name.isascii() and name.isprintable()):
        raise ApiError(400, f"X-Client-Id has 1 to {streams.LONGEST_WRITER} printable characters.")
    return name


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ApiError(400, "X-Resume-From-Chunk must be a number.")
    return int(text)


def _chunk(line: bytes) -> str:
    return streams.line_of(payloads.clean(line, limit=int(conf.get("STREAM_CHUNK_LIMIT"))))


async def _whole(exchange: Exchange, limit: int) -> bytes:
    body = b""
    async for part in _parts(exchange):
        body += part
        if len(body) > limit:
            raise ApiError(413, f"The body is larger than {limit:,} bytes.")
    return body


async def _batches(exchange: Exchange) -> AsyncIterator[list[bytes]]:
    """The lines of the body as they come, some together, and none of them late."""
    limit = int(conf.get("STREAM_CHUNK_LIMIT"))
    rest, size = b"", 0
    lines: list[bytes] = []
    clock = asyncio.get_running_loop().time
    first = 0.0
    async for part in _parts(exchange, SOON):
        *whole, rest = (rest + part).split(b"\n")
        if len(rest) > limit:
            raise ApiError(413, f"A line is larger than {limit:,} bytes.")
        new = [line for line in whole if line.strip()]
        first = first if lines else clock()
        lines += new
        size += sum(map(len, new))
        if lines and (len(lines) >= TOGETHER or size > MOST_BYTES or clock() - first >= SOON):
            yield lines
            lines, size = [], 0
    if last := [*lines, *([rest] if rest.strip() else [])]:
        yield last


async def _parts(exchange: Exchange, beat: float = PATIENCE) -> AsyncIterator[bytes]:
    """What comes of the body; nothing, at every beat while nothing does. Raises a 408, or Gone."""
    clock = asyncio.get_running_loop().time
    heard, more = clock(), True
    coming: asyncio.Task[Any] | None = None
    try:
        while more:
            coming = coming or asyncio.ensure_future(exchange.receive())
            await asyncio.wait({coming}, timeout=beat)
            if not coming.done():
                if clock() - heard >= PATIENCE:
                    raise ApiError(408, "The request's body did not arrive in time.")
                yield b""
                continue
            event, coming, heard = coming.result(), None, clock()
            if event["type"] == "http.disconnect":
                raise Gone
            more = event.get("more_body", False)
            yield event.get("body", b"")
    finally:
        if coming is not None:
            coming.cancel()

"""Subscriptions to runs, tags and batches: the Electric shape protocol, by long polling."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress

from dashboard.api import access
from dashboard.api.auth import READ, Caller
from dashboard.api.errors import ApiError
from dashboard.realtime import subscriptions
from dashboard.realtime.asgi import Exchange, Gone
from dashboard.realtime.callers import require_run, still
from dashboard.realtime.feeds import Feed, Offset
from dashboard.realtime.hub import Hub, Waiting, Woken
from dashboard.realtime.rows import CHUNK
from dashboard.realtime.subscriptions import MustRefetch, Subscription
from dashboard.realtime.work import threaded
from runs.models import Batch

#: Seconds a request is held while nothing changes, and the part of them that differs: those who came
#: together do not all come back together.
HOLD, SPREAD = 20.0, 0.2
UP_TO_DATE = '{"headers": {"control": "up-to-date"}}'
MUST_REFETCH = [{"headers": {"control": "must-refetch"}}]


async def subscribe(exchange: Exchange, hub: Hub, caller: Caller, kind: str, named: str) -> None:
    """Answer a subscriber: what is new to it, at once or when there is something."""
    exchange.allow(["GET"])
    try:
        asked = subscriptions.read(kind, named, exchange.query)
    except MustRefetch as error:
        await exchange.answer(409, MUST_REFETCH, {"electric-handle": error.handle})
        return
    await _admit(caller, asked)
    with hub.watch(asked.shape) as feed:
        if not feed.readings or (asked.offset is not None and not feed.knows(asked.offset)):
            await hub.read(feed)
        if asked.shape.run_id and not feed.versions:
            raise ApiError(404, "Not found", retry=False)
        offset, ids = feed.offset, feed.news(asked.offset)
        if asked.is_live and not ids:
            offset, ids = await _held(exchange, hub, feed, asked)
            if ids:
                await still(caller, hub)
    await _tell(exchange, hub, asked, caller.skipped, offset, ids)


async def _admit(caller: Caller, asked: Subscription) -> None:
    shape = asked.shape
    if shape.run_id:
        await require_run(caller, READ, shape.run_id)
    elif shape.tags:
        caller.require_tasks()
        caller.require(READ, ("runs", None), *(("tags", tag) for tag in shape.tags))
    else:
        if caller.tasks:
            await threaded(access.require_batch, caller, shape.batch_id)
        caller.require(READ, ("runs", None), ("batch", shape.batch_id))
        if asked.offset is None and not await threaded(_is_there, shape.batch_id):
            raise ApiError(404, "Not found", retry=False)


def _is_there(batch_id: str) -> bool:
    return Batch.objects.filter(pk=batch_id).exists()


async def _held(
    exchange: Exchange, hub: Hub, feed: Feed, asked: Subscription
) -> tuple[Offset, list[str]]:
    """What is new once something is; nothing after a while, or when the process stops."""
    assert asked.offset is not None
    until = time.monotonic() + HOLD * (1 - SPREAD * random.random())
    offset = feed.offset
    while True:
        with hub.held(feed.shape) as waiting:
            why = await woken(exchange, waiting, until - time.monotonic())
        offset, ids = feed.offset, feed.news(asked.offset)
        if ids or why is not Woken.CHANGED:
            return offset, ids


async def woken(exchange: Exchange, waiting: Waiting, seconds: float) -> Woken:
    """Raises Gone when the client left."""
    leaving = asyncio.ensure_future(_left(exchange, waiting))
    try:
        why = await waiting.woken(seconds)
    finally:
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
    if why is Woken.GONE:
        raise Gone
    return why


async def _left(exchange: Exchange, waiting: Waiting) -> None:
    while (await exchange.receive())["type"] != "http.disconnect":
        pass
    waiting.wake(Woken.GONE)


async def _tell(
    exchange: Exchange,
    hub: Hub,
    asked: Subscription,
    hidden: frozenset[str],
    offset: Offset,
    ids: Sequence[str],
) -> None:
    """The rows in parts: all of them together may be larger than memory."""
    skipped = asked.skipped | hidden
    first = await hub.rows.get(ids[:CHUNK], skipped)
    headers = {
        "content-type": "application/json",
        "electric-handle": asked.handle,
        "electric-offset": str(offset),
        # says that the next request may be a live one
        "electric-up-to-date": "true",
    }
    headers |= {"electric-cursor": str(int(time.time()))} if asked.is_live else {}
    headers |= {} if asked.is_live else {"electric-schema": "{}"}
    headers |= {"connection": "close"} if hub.is_stopping else {}
    text = "[" + "".join(f"{message}," for message in first)
    if len(ids) <= CHUNK:  # as nearly always: in one piece
        body = f"{text}{UP_TO_DATE}]".encode()
        await exchange.begin(200, {**headers, "content-length": str(len(body))})
        await exchange.write(body, more=False)
        return
    await exchange.begin(200, headers)
    for start in range(CHUNK, len(ids), CHUNK):
        await exchange.write(text)
        more = await hub.rows.get(ids[start : start + CHUNK], skipped)
        text = "".join(f"{message}," for message in more)
    await exchange.write(f"{text}{UP_TO_DATE}]", more=False)

"""Reading a stream of a run, as server-sent events."""

import time
from dataclasses import dataclass
from datetime import timedelta

from dashboard import sight
from dashboard.api import auth
from dashboard.api.auth import READ, Caller
from dashboard.api.errors import ApiError
from dashboard.realtime.asgi import Exchange, Gone
from dashboard.realtime.callers import require_run, still
from dashboard.realtime.feeds import EPOCH, Feed
from dashboard.realtime.hub import Hub, Woken
from dashboard.realtime.longpoll import woken
from dashboard.realtime.subscriptions import RUN_ID
from dashboard.realtime.work import threaded
from dashboard.sight import Sight
from runs.lifecycle.streams import KEY
from runs.reads import streams
from runs.reads.streams import Chunk, Place, Standing

#: Seconds without a chunk after which an answer ends, by default and at most.
PATIENCE, LONGEST = 60.0, 600.0
#: Seconds after which something is sent, so that nobody in between takes the line for dead.
PING = 15.0
LARGEST = 10**15


async def follow(
    exchange: Exchange, hub: Hub, caller: Caller, run_id: str, key: str, *, is_input: bool = False
) -> None:
    """Send the chunks of a stream from where the client stands on, and those that come."""
    exchange.allow(["GET"])
    place, patience = Place(run_id, key, is_input), _patience(exchange)
    if RUN_ID.fullmatch(run_id) is None:
        raise ApiError(404, "Not found", retry=False)
    if KEY.fullmatch(key) is None:
        raise ApiError(400, "A stream's key has 1 to 128 characters.")
    await require_run(caller, READ, run_id)
    if caller.sight is Sight.NOTHING:
        raise auth.forbidden(sight.HIDDEN_FROM_KEY)
    with hub.watch(place) as feed:
        await hub.read(feed)
        stands = _standing(feed)
        if stands is None:
            raise ApiError(404, "Not found", retry=False)
        start = _start(exchange, stands)
        await exchange.begin(200, {"content-type": "text/event-stream; charset=utf-8"})
        reader = Reader(exchange, hub, caller, place)
        await reader.follow(feed, start, patience)
    await exchange.write("", more=False)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who follows a stream."""

    exchange: Exchange
    hub: Hub
    caller: Caller
    place: Place

    async def follow(self, feed: Feed, start: int, patience: float) -> None:
        """Until nothing more will come or nothing came for a while. Raises Gone when the process stops."""
        quiet_since = time.monotonic()
        while True:
            with self.hub.held(self.place) as waiting:
                stands = _standing(feed)
                if stands is None:
                    return
                if start < stands.chunks:
                    start = await self._send(start)
                    quiet_since = time.monotonic()
                    continue
                left = patience - (time.monotonic() - quiet_since)
                if stands.is_over or left <= 0:
                    return
                why = await woken(self.exchange, waiting, min(left, PING))
            if why is Woken.STOPPING:
                # an end would say that this was all: who is cut off goes on with another process
                raise Gone
            await still(self.caller, self.hub)
            if why is Woken.TIME_OUT:
                await self.exchange.write(": still here\n\n")

    async def _send(self, start: int) -> int:
        """Send the next chunks; the number of the one after them."""
        found = await threaded(streams.read, self.place, start)
        with sight.using(self.caller.sight):
            await self.exchange.write("".join(map(_event, found)))
        # pruned meanwhile: there is nothing more to wait for
        return found[-1].number + 1 if found else LARGEST


def _event(chunk: Chunk) -> str:
    """Clients take the time of a chunk from its id."""
    milliseconds = (chunk.at - EPOCH) // timedelta(milliseconds=1)
    return f"id: {milliseconds}-{chunk.number}\ndata: {sight.document(chunk.text)}\n\n"


def _standing(feed: Feed) -> Standing | None:
    """How the stream stands; None where there is no such run."""
    for version in feed.versions.values():
        return Standing(version.mark // 2, bool(version.mark % 2))
    return None


def _start(exchange: Exchange, stands: Standing) -> int:
    """The number of the first chunk the client does not have; raises a 400."""
    last = exchange.headers.get("last-event-id", "").strip()
    if not last:
        latest = exchange.headers.get("x-trigger-stream-start") == "latest"
        return stands.chunks if latest else 0
    if last == "-1":
        return 0
    # a bare number too: clients make one of an index
    number = last.rpartition("-")[2]
    if not (number.isascii() and number.isdigit() and len(last) <= 40 and int(number) < LARGEST):
        raise ApiError(400, "Last-Event-ID must be the id of an event of this stream.")
    return int(number) + 1


def _patience(exchange: Exchange) -> float:
    text = exchange.headers.get("timeout-seconds", "").strip()
    if not text:
        return PATIENCE
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
        raise ApiError(400, "Timeout-Seconds must be a number of seconds, at least 1.")
    return min(float(text), LONGEST)

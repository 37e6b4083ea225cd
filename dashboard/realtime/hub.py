"""Who watches what in this process, and the one reader that looks for all of them."""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto

from django.db import DatabaseError, InterfaceError

from dashboard.realtime import stopping
from dashboard.realtime.feeds import EPOCH, Feed, Watched
from dashboard.realtime.work import Rows, Together, threaded
from runs.reads import shapes, streams
from runs.reads.shapes import Shape, Version
from runs.reads.streams import Place

log = logging.getLogger("trackside")

#: Seconds between the beginnings of two readings, which take at most half of the time.
INTERVAL = 0.25
#: The same while the database is away.
AWAY = 1.0
#: How long a feed nobody watches is kept for those who come back.
KEPT_SECONDS = 30.0
MOST_KEPT = 1000
Reading = dict[Watched, dict[str, Version]]


class Woken(Enum):
    """Why somebody who waited goes on."""

    CHANGED = auto()
    GONE = auto()
    STOPPING = auto()
    TIME_OUT = auto()


class Waiting:
    """One held request. Whoever comes first says how it goes on."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Woken] = asyncio.get_running_loop().create_future()

    def wake(self, why: Woken) -> None:
        if not self.future.done():
            self.future.set_result(why)

    async def woken(self, seconds: float) -> Woken:
        """Why it goes on, after at most so many seconds."""
        loop = asyncio.get_running_loop()
        bell = loop.call_later(max(seconds, 0), self.wake, Woken.TIME_OUT)
        try:
            return await self.future
        finally:
            bell.cancel()


class Hub:
    """Feeds, those who wait for them, and the task that reads."""

    def __init__(self) -> None:
        self.feeds: dict[Watched, Feed] = {}
        self.waiting: dict[Watched, set[Waiting]] = {}
        self.watchers: dict[Watched, int] = {}
        self.rows, self.callers = Rows(), Together()
        #: Requests that are being answered.
        self.count = 0
        self.is_stopping = False
        self.reader: asyncio.Task[None] | None = None
        self.due = asyncio.Event()
        self.fresh: dict[Watched, asyncio.Future[None]] = {}
        self.everybody: set[Waiting] = set()
        stopping.on_stop(self.stop)

    @contextmanager
    def watch(self, shape: Watched) -> Iterator[Feed]:
        """The feed of a shape; it is read while somebody watches it."""
        feed = self.feeds.setdefault(shape, Feed(shape))
        self.watchers[shape] = self.watchers.get(shape, 0) + 1
        feed.left_at = None
        self._begin()
        try:
            yield feed
        finally:
            self.watchers[shape] -= 1
            if not self.watchers[shape]:
                del self.watchers[shape]
                feed.left_at = time.monotonic()

    async def read(self, feed: Feed) -> None:
        """Wait until the feed was read once more, from now on. Raises what the database says."""
        fresh = self.fresh.get(feed.shape)
        if fresh is None:
            fresh = self.fresh[feed.shape] = asyncio.get_running_loop().create_future()
        self.due.set()
        await asyncio.shield(fresh)

    @contextmanager
    def held(self, shape: Watched | None) -> Iterator[Waiting]:
        """Be woken when the feed of a shape changes, and when the process stops."""
        mine = Waiting()
        places = [self.everybody] + ([self.waiting.setdefault(shape, set())] if shape else [])
        for place in places:
            place.add(mine)
        if self.is_stopping:
            mine.wake(Woken.STOPPING)
        try:
            yield mine
        finally:
            for place in places:
                place.discard(mine)
            if shape and not self.waiting.get(shape):
                self.waiting.pop(shape, None)

    def stop(self) -> None:
        """The process ends: answer everybody at once."""
        self.is_stopping = True
        stopping.expect_cut_answers()
        for one in self.everybody:
            one.wake(Woken.STOPPING)

    def _begin(self) -> None:
        if self.reader is None or self.reader.done():
            self.reader = asyncio.ensure_future(self._reading())

    async def _reading(self) -> None:
        """Read until nobody watches anything."""
        next_round = 0.0
        while self.feeds:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.due.wait(), max(next_round - time.monotonic(), 0.001))
            self.due.clear()
            asked, self.fresh = self.fresh, {}
            began = time.monotonic()
            # who asked is not kept waiting for what everybody else watches
            wanted = list(asked) if began < next_round else list(self.feeds)
            error = await self._read(wanted)
            _settle(asked.values(), error)
            if began >= next_round:
                took = time.monotonic() - began
                next_round = began + (AWAY if error else max(INTERVAL, 2 * took))
            self._forget()

    async def _read(self, wanted: list[Watched]) -> Exception | None:
        try:
            reading = await threaded(read, wanted)
        except (DatabaseError, InterfaceError) as error:
            log.warning("Subscribers wait: the database did not answer (%s).", _line(error))
            return error
        except Exception as error:  # those who asked get it, and the rest must go on
            log.exception("What subscribers watch could not be read.")
            return error
        for shape, versions in reading.items():
            feed = self.feeds.get(shape)
            if feed is not None and feed.take(versions):
                for one in self.waiting.get(shape, ()):
                    one.wake(Woken.CHANGED)
        return None

    def _forget(self) -> None:
        left = [(one.left_at, shape) for shape, one in self.feeds.items() if one.left_at]
        before = time.monotonic() - KEPT_SECONDS
        if len(left) > MOST_KEPT:
            before = sorted(at for at, _ in left)[-MOST_KEPT]
        for at, shape in left:
            if at < before and shape not in self.fresh:
                del self.feeds[shape]


def read(wanted: list[Watched]) -> Reading:
    """How the runs of these shapes, and these streams, stand."""
    members = shapes.members([one for one in wanted if isinstance(one, Shape)])
    found = shapes.versions(run_id for ids in members.values() for run_id in ids)
    reading: Reading = {one: {} for one in wanted}
    for shape, ids in members.items():
        reading[shape] = {run_id: found[run_id] for run_id in ids if run_id in found}
    places = [one for one in wanted if isinstance(one, Place)]
    for place, stands in (streams.standing(places) if places else {}).items():
        reading[place] = {place.run_id: Version(2 * stands.chunks + stands.is_over, EPOCH)}
    return reading


def _settle(asked: Iterable[asyncio.Future[None]], error: Exception | None) -> None:
    for future in asked:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
            future.exception()  # nobody may be left to read it


def _line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """The hub of the running loop: a process has one of each."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        for other in [one for one in _hubs if one.is_closed()]:
            del _hubs[other]
        _hubs[loop] = Hub()
    return _hubs[loop]


def held() -> int:
    """How many requests this process holds."""
    return sum(one.count for one in list(_hubs.values()))

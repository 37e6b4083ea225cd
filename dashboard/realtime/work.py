"""Reads for subscribers, in a few threads of their own: pages and triggers never wait for them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import close_old_connections

from dashboard.realtime import rows

THREADS = 4
#: Rows read in one go, and goes at a time.
TOGETHER, AT_A_TIME = 50, 2
R = TypeVar("R")
Key = tuple[str, frozenset[str]]

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="realtime")


async def threaded(call: Callable[..., R], *arguments: Any) -> R:
    """The result of a call that reads the database."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _connected, call, arguments)


def _connected(call: Callable[..., R], arguments: Sequence[Any]) -> R:
    close_old_connections()
    try:
        return call(*arguments)
    finally:
        close_old_connections()


class Together:
    """Calls that ask the same at the same time share one answer, begun after they asked."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}
        self._next: dict[Hashable, asyncio.Future[Any]] = {}

    async def ask(self, key: Hashable, call: Callable[[], Awaitable[R]]) -> R:
        while (current := self._under_way.get(key)) is not None:
            # it may have looked before we came: wait for it, and share the one after it
            turn = self._next.get(key)
            if turn is None:
                turn = self._next[key] = asyncio.ensure_future(self._after(current, key, call))
            return await asyncio.shield(turn)
        return await asyncio.shield(self._begin(key, call))

    async def _after(
        self, current: asyncio.Task[Any], key: Hashable, call: Callable[[], Awaitable[R]]
    ) -> R:
        await asyncio.wait({current})
        del self._next[key]
        return await self._begin(key, call)

    def _begin(self, key: Hashable, call: Callable[[], Awaitable[R]]) -> asyncio.Task[R]:
        task: asyncio.Task[R] = asyncio.ensure_future(call())
        self._under_way[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # everybody who asked has it; nobody may be left


class Rows:
    """Messages of runs; those that many subscribers need at once are read once, many in a read."""

    def __init__(self) -> None:
        self._wanted: dict[Key, asyncio.Future[str | None]] = {}
        self._readers: set[asyncio.Task[None]] = set()

    async def get(self, ids: Collection[str], skipped: frozenset[str]) -> list[str]:
        """The messages of those that exist, in their order."""
        loop = asyncio.get_running_loop()
        asked = [self._wanted.setdefault((one, skipped), loop.create_future()) for one in ids]
        if self._wanted and len(self._readers) < AT_A_TIME:
            reader = asyncio.ensure_future(self._read())
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)
        found = await asyncio.gather(*map(asyncio.shield, asked))
        return [message for message in found if message is not None]

    async def _read(self) -> None:
        while self._wanted:
            skipped = next(iter(self._wanted))[1]
            keys = [key for key in self._wanted if key[1] == skipped][:TOGETHER]
            taken = {run_id: self._wanted.pop((run_id, skipped)) for run_id, _ in keys}
            try:
                found = await threaded(_messages, list(taken), skipped)
            except Exception as error:  # theirs who wait for it
                _settle(taken, error)
            else:
                _settle(taken, found)


def _messages(ids: list[str], skipped: frozenset[str]) -> dict[str, str]:
    return dict(rows.messages(ids, skipped))


def _settle(
    taken: dict[str, asyncio.Future[str | None]], found: dict[str, str] | Exception
) -> None:
    for run_id, future in taken.items():
        if future.done():
            continue
        if isinstance(found, Exception):
            future.set_exception(found)
            future.exception()  # nobody may be left to read it
        else:
            future.set_result(found.get(run_id))

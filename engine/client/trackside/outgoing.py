"""Values on their way into a stream: kept until the server has said that it stored them."""

import json
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

#: Lines, bytes and seconds after which a request ends and the next begins: what is kept is bounded.
MOST, MOST_BYTES, LONGEST = 1000, 4_000_000, 10.0


class Outgoing:
    """The values of an iterable as lines of JSON, for one request after the other."""

    def __init__(self, source: Iterable[Any] | AsyncIterable[Any]) -> None:
        is_async = isinstance(source, AsyncIterable)
        self._later = aiter(source) if isinstance(source, AsyncIterable) else None
        self._now = iter(()) if is_async else iter(source)  # type: ignore[arg-type]
        self._kept: list[bytes] = []
        self._size, self._until = 0, 0.0
        #: The number of the first line that is not known to be stored.
        self.first = 0
        self.is_over = False

    def lines(self) -> Iterable[bytes] | AsyncIterable[bytes]:
        """Those of the next request: what is not known to have arrived, else new ones."""
        self._until = time.monotonic() + LONGEST
        return self._plain() if self._later is None else self._awaited(self._later)

    def arrived(self) -> None:
        """The server has stored what was sent."""
        self.first += len(self._kept)
        self._kept, self._size = [], 0

    def _plain(self) -> Iterator[bytes]:
        if self._kept:
            # alone: the next value may come so late that the connection is lost again
            yield from list(self._kept)
            return
        while not self._is_full():
            try:
                value = next(self._now)
            except StopIteration:
                self.is_over = True
                return
            yield self._line(value)

    async def _awaited(self, source: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        if self._kept:
            for line in list(self._kept):
                yield line
            return
        while not self._is_full():
            try:
                value = await anext(source)
            except StopAsyncIteration:
                self.is_over = True
                return
            yield self._line(value)

    def _is_full(self) -> bool:
        is_late = bool(self._kept) and time.monotonic() > self._until
        return self.is_over or is_late or len(self._kept) >= MOST or self._size >= MOST_BYTES

    def _line(self, value: Any) -> bytes:
        line = json.dumps(value, allow_nan=False).encode() + b"\n"
        self._kept.append(line)
        self._size += len(line)
        return line

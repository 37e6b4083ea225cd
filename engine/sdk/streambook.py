"""Chunks on their way from a body to the database.

They are stored twice a second, when many have gathered, at `flush` and at the end of the attempt, by a
thread with a connection of its own, so that they do not share the fate of a transaction the body is in.
"""

import logging
import secrets
from typing import NamedTuple

from engine import runtime
from engine.runtime import Part
from engine.sdk.notes import REFUSALS, Postponed

log = logging.getLogger("trackside.task")

#: Seconds a chunk waits for others.
PERIOD = 0.5
#: Chunks and bytes that wait; whoever appends more waits until they are stored.
MOST, MOST_BYTES = 500, 500_000


class Stream(NamedTuple):
    """A stream of the run, or of `owner`."""

    key: str
    owner: str | None = None


class StreamBook(Postponed):
    """What one segment of an attempt has appended and is not stored yet."""

    def __init__(self, run_id: str, attempt: int) -> None:
        super().__init__(PERIOD, "Chunks of streams wait")
        self._run_id, self._attempt = run_id, attempt
        #: Names this segment: what is sent again after a lost answer is known by it.
        self._writer = secrets.token_hex(8)
        self._waiting: dict[Stream, list[str]] = {}
        self._stored: dict[Stream, int] = {}
        self._refused: set[Stream] = set()
        self._count = self._bytes = 0

    def append(self, key: str, text: str, owner: str | None = None) -> None:
        """Store a chunk soon, after all before it; in a stream of `owner` if it is of another run."""
        stream = Stream(key, None if owner == self._run_id else owner)
        with self._lock:
            if stream in self._refused:
                return
            self._waiting.setdefault(stream, []).append(text)
            self._count, self._bytes = self._count + 1, self._bytes + len(text)
            is_much = self._count >= MOST or self._bytes >= MOST_BYTES
            if not is_much:
                self._wind_up()
        if is_much:
            self.close()

    def _store(self) -> None:
        """One write at a time, so that chunks arrive in their order; none is lost for an error."""
        with self._writing:
            while (taken := self._next()) is not None:
                stream, chunks = taken
                before = self._stored.get(stream, 0)
                try:
                    part = Part(stream.key, chunks, self._writer, before, stream.owner)
                    runtime.installed().streams.append(self._run_id, self._attempt, part)
                except REFUSALS as error:
                    self._refuse(stream, str(error))
                except BaseException:
                    self._put_back(stream, chunks)
                    raise
                else:
                    self._stored[stream] = before + len(chunks)

    def _next(self) -> tuple[Stream, list[str]] | None:
        with self._lock:
            if not self._waiting:
                return None
            stream = next(iter(self._waiting))
            chunks = self._waiting.pop(stream)
            self._count -= len(chunks)
            self._bytes -= sum(map(len, chunks))
            return stream, chunks

    def _put_back(self, stream: Stream, chunks: list[str]) -> None:
        with self._lock:
            self._waiting = {stream: chunks + self._waiting.pop(stream, []), **self._waiting}
            self._count += len(chunks)
            self._bytes += sum(map(len, chunks))

    def _refuse(self, stream: Stream, why: str) -> None:
        """Said once; what follows would have a gap before it."""
        with self._lock:
            self._refused.add(stream)
            self._waiting.pop(stream, None)
            if not self._waiting:
                self._count = self._bytes = 0
        log.error("The stream “%s” takes no more chunks: %s", stream.key, why)

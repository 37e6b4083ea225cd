"""Chunks on their way from a body to the database.

They are stored twice a second, when many have gathered, at `flush` and at the end of the attempt, by a
thread with a connection of its own, so that they do not share the fate of a transaction the body is in.
"""

import logging
import secrets
import threading
from contextvars import copy_context

from django.db import connections

from engine import runtime
from engine.runtime import Part
from engine.sdk import notes
from engine.sdk.notes import DATABASE_AWAY, REFUSALS, aside, patiently

log = logging.getLogger("trackside.task")

#: Seconds a chunk waits for others.
PERIOD = 0.5
#: Chunks and bytes that wait; whoever appends more waits until they are stored.
MOST, MOST_BYTES = 500, 500_000


class StreamBook:
    """What one segment of an attempt has appended and is not stored yet."""

    def __init__(self, run_id: str, attempt: int) -> None:
        self._run_id, self._attempt = run_id, attempt
        #: Names this segment: what is sent again after a lost answer is known by it.
        self._writer = secrets.token_hex(8)
        self._waiting: dict[str, list[str]] = {}
        self._stored: dict[str, int] = {}
        self._refused: set[str] = set()
        self._count = self._bytes = 0
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._timer: threading.Timer | None = None

    def append(self, key: str, text: str) -> None:
        """Store a chunk soon, after all before it."""
        with self._lock:
            if key in self._refused:
                return
            self._waiting.setdefault(key, []).append(text)
            self._count, self._bytes = self._count + 1, self._bytes + len(text)
            is_much = self._count >= MOST or self._bytes >= MOST_BYTES
            if not is_much:
                self._wind_up()
        if is_much:
            self.close()

    def _wind_up(self) -> None:
        if self._timer is None and notes.is_apart():
            self._timer = threading.Timer(PERIOD, copy_context().run, [self._tick])
            self._timer.daemon = True
            self._timer.start()

    def _tick(self) -> None:
        with self._lock:
            self._timer = None
        try:
            self._store()
        except DATABASE_AWAY:
            with self._lock:
                self._wind_up()
        finally:
            connections.close_all()

    def flush(self) -> None:
        """Store what is waiting, now; returns when it is done."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        aside(self._store)

    def close(self) -> None:
        """Store what is waiting, whenever the database answers."""
        patiently(self.flush, "Chunks of streams wait")

    def _store(self) -> None:
        """One write at a time, so that chunks arrive in their order; none is lost for an error."""
        with self._writing:
            while (taken := self._next()) is not None:
                key, chunks = taken
                try:
                    part = Part(key, chunks, self._writer, self._stored.get(key, 0))
                    runtime.installed().streams.append(self._run_id, self._attempt, part)
                except REFUSALS as error:
                    self._refuse(key, str(error))
                except BaseException:
                    self._put_back(key, chunks)
                    raise
                else:
                    self._stored[key] = self._stored.get(key, 0) + len(chunks)

    def _next(self) -> tuple[str, list[str]] | None:
        with self._lock:
            if not self._waiting:
                return None
            key = next(iter(self._waiting))
            chunks = self._waiting.pop(key)
            self._count -= len(chunks)
            self._bytes -= sum(map(len, chunks))
            return key, chunks

    def _put_back(self, key: str, chunks: list[str]) -> None:
        with self._lock:
            self._waiting = {key: chunks + self._waiting.pop(key, []), **self._waiting}
            self._count += len(chunks)
            self._bytes += sum(map(len, chunks))

    def _refuse(self, key: str, why: str) -> None:
        """Said once; what follows would have a gap before it."""
        with self._lock:
            self._refused.add(key)
            self._waiting.pop(key, None)
            if not self._waiting:
                self._count = self._bytes = 0
        log.error("The stream “%s” takes no more chunks: %s", key, why)

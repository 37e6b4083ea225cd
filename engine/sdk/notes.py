"""What a body notes on its run while it executes, on its way to the database.

Changes show in the body at once. They are stored every second, at `flush` and at the end of the
attempt, by a thread with a connection of its own, so that they do not share the fate of a
transaction the body is in.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connections

from engine import runtime
from engine.runtime import Changes
from engine.sdk import values
from engine.sdk.blocking import blocking
from engine.sdk.errors import UnsupportedValue
from runs import conf
from runs import metadata as documents
from runs.errors import InvalidOption, RunsError
from runs.metadata import Operation

log = logging.getLogger("trackside.task")

#: Seconds a change waits for others to be stored with it.
PERIOD = 1.0
DATABASE_AWAY = (DatabaseError, InterfaceError)
#: What no repetition mends.
REFUSALS = (RunsError, DataError, IntegrityError)
R = TypeVar("R")

_is_apart = True


@contextmanager
def on_this_connection() -> Iterator[None]:
    """Notes are stored by the thread of the body, at `flush` and at the end; for tests.

    What a test wrote in its transaction no other connection sees.
    """
    global _is_apart
    before, _is_apart = _is_apart, False
    try:
        yield
    finally:
        _is_apart = before


class Postponed(ABC):
    """What is stored soon, by a thread of its own."""

    def __init__(self, period: float, what: str) -> None:
        #: Seconds it waits for more, and how a log line begins when the database is away.
        self._period, self._what = period, what
        self._lock = threading.RLock()
        self._writing = threading.Lock()
        self._timer: threading.Timer | None = None

    @abstractmethod
    def _store(self) -> None:
        """Write all that waits."""

    def _wind_up(self) -> None:
        """Store soon. Called under the lock."""
        if self._timer is None and _is_apart:
            self._timer = threading.Timer(self._period, copy_context().run, [self._tick])
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
        patiently(self.flush, self._what)


class Notes(Postponed):
    """The metadata of one attempt: its own copy, and what is not stored yet."""

    def __init__(self, run_id: str, document: dict[str, Any] | None) -> None:
        super().__init__(PERIOD, "Metadata waits")
        self._run_id = run_id
        self.document: dict[str, Any] = dict(document or {})
        self._waiting = Changes()

    def change(self, target: str, operation: Operation) -> None:
        """Apply to the copy if it is ours, and store it soon. Raises InvalidOption."""
        with self._lock:
            if target == "own":
                changed = documents.apply(self.document, [operation])
                dumped(changed)
                self.document = changed
            else:
                documents.apply({}, [operation])  # raises for what can never be done
            add(getattr(self._waiting, target), operation)
            self._wind_up()

    def refresh(self) -> None:
        """Read what is stored, after storing what is waiting."""
        self.flush()
        found = aside(lambda: runtime.installed().update_metadata(self._run_id, Changes()))
        with self._lock:
            self.document = found

    def _store(self) -> None:
        """One write at a time, so that changes arrive in their order; none is lost for an error."""
        with self._writing:
            with self._lock:
                changes, self._waiting = self._waiting, Changes()
            try:
                if changes:
                    runtime.installed().update_metadata(self._run_id, changes)
            except REFUSALS as error:
                log.error("Metadata was not stored: %s", error)
            except BaseException:
                with self._lock:
                    self._waiting = changes.before(self._waiting)
                raise


def add(waiting: list[Operation], operation: Operation) -> None:
    """Of values set one after the other at the same key only the last is stored."""
    same = ("type", "key")
    last = waiting[-1] if waiting else {}
    if operation["type"] == "set" and all(last.get(name) == operation[name] for name in same):
        waiting.pop()
    waiting.append(operation)


def patiently(job: Callable[[], R], what: str) -> R:
    """Do it, whenever the database answers."""
    pause = 0.05
    while True:
        try:
            return job()
        except DATABASE_AWAY as error:
            log.warning("%s for the database: %s", what, str(error).split("\n")[0])
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def aside(job: Callable[[], R]) -> R:
    """Do it in a thread, which has connections of its own; raises what it raised."""
    if not _is_apart:
        with blocking():
            return job()
    answers: list[R] = []
    failures: list[BaseException] = []

    def carry_out() -> None:
        try:
            answers.append(job())
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=copy_context().run, args=(carry_out,))
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return answers[0]


def dumped(value: Any) -> str:
    """The value as JSON text. Raises InvalidOption when there is none or it is too large."""
    try:
        return values.dumps(value, conf.get("METADATA_LIMIT"))
    except UnsupportedValue as error:
        raise InvalidOption("metadata", f"metadata: {error}") from error

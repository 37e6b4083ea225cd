"""Whether this web process can answer pages: looked at in a thread of its own, for all who ask.

A database that is away keeps who looks waiting for as long as its connection does. That is not to be
the thread of a request: ten probes would take all of them, and the process would answer nothing.
"""

import threading
import time
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, connection

from runs import migrated

#: Seconds an answer is told again, one that the tables are right, and one probe waits.
REMEMBERED, MIGRATED, PATIENCE = 1.0, 60.0, 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. The sentence names no hosts and no users: strangers read it."""

    name: str
    problem: str = ""


class Readiness:
    """What was found last, and the thread that looks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: list[Check] = []
        self.found_at = self.migrated_at = -MIGRATED
        self.done: threading.Event | None = None

    def checks(self, patience: float = PATIENCE) -> list[Check]:
        """All of them, as of now or of a second ago."""
        with self.lock:
            if time.monotonic() - self.found_at < REMEMBERED:
                return self.found
            if self.done is None:
                self.done = threading.Event()
                threading.Thread(target=self._look, args=(self.done,), daemon=True).start()
            done = self.done
        if done.wait(patience):
            return self.found
        return [Check("database", f"It did not answer within {patience:g} s.")]

    def forget(self) -> None:
        """For tests."""
        self.found_at = self.migrated_at = -MIGRATED

    def _look(self, done: threading.Event) -> None:
        try:
            found = self._checked()
        except (DatabaseError, InterfaceError):
            found = [Check("database", "It cannot be reached.")]
        except Exception:  # such as a pool that has no connection left
            found = [Check("database", "No connection to it could be had.")]
        finally:
            connection.close()
        with self.lock:
            self.found, self.found_at, self.done = found, time.monotonic(), None
        done.set()

    def _checked(self) -> list[Check]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if time.monotonic() - self.migrated_at < MIGRATED:
            return [Check("database"), Check("migrations")]
        problem = migrated.problem()
        if not problem:
            self.migrated_at = time.monotonic()
        return [Check("database"), Check("migrations", problem)]


readiness = Readiness()

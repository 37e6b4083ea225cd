"""The movable clock of a test."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import DatabaseError, connection
from django.utils import timezone

from engine.sdk.blocking import blocking
from engine.testing.problems import TracksideError
from runs.durations import seconds

#: PostgreSQL looks here before it looks among its own functions.
SCHEMA = "trackside_clock"
REPLACE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE OR REPLACE FUNCTION {SCHEMA}.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT pg_catalog.clock_timestamp() + interval '%s microseconds' $$;
"""
MICROSECOND = timedelta(microseconds=1)


class Clock:
    """The time as tasks, Trackside and the database see it. It goes on by itself, and jumps on demand.

    What moves is `django.utils.timezone.now()`; `datetime.now()` and `time.time()` stay as they are.

    Example:
        trackside.clock.advance("1h")
        assert run.status == "COMPLETED"
    """

    def __init__(self, execute_until: Callable[[datetime], None]) -> None:
        self._execute_until = execute_until
        self._real = timezone.now
        self._began = self._real()
        self._ahead = timedelta()
        self._path = ""

    def now(self) -> datetime:
        """The time it shows."""
        return self._real() + self._ahead

    def advance(self, duration: float | str | timedelta) -> None:
        """Let time pass: seconds, text like "1h30m", or a timedelta.

        Whatever falls due meanwhile (waits, retries, delays, time-outs, schedules) is executed at
        its own time, one after the other.
        """
        self.advance_to(self.now() + timedelta(seconds=seconds(duration, "duration")))

    def advance_to(self, moment: datetime) -> None:
        """Let time pass until a moment with a time zone."""
        if moment.tzinfo is None:
            raise TracksideError(f"advance_to() takes a moment with a time zone; got {moment}.")
        if moment < self.now() - timedelta(seconds=1):
            raise TracksideError(
                f"The clock shows {self.now():%Y-%m-%d %H:%M:%S %Z} and cannot go back to {moment}. "
                "Begin the test with the earlier moment."
            )
        self._execute_until(moment)

    @property
    def lived(self) -> timedelta:
        """How long the test has really taken: what that made too late still counts as due."""
        return self._real() - self._began

    def jump(self, moment: datetime) -> None:
        """Show this moment from now on, and execute nothing."""
        self._ahead = max(self._ahead, moment - self._real())
        self._tell_database()

    def _tell_database(self) -> None:
        """PostgreSQL's functions ask its own clock."""
        if connection.vendor != "postgresql":
            return
        with blocking(), connection.cursor() as cursor:  # an async body's pause jumps too
            cursor.execute(REPLACE % (self._ahead // MICROSECOND))
            if not self._path:
                cursor.execute("SHOW search_path")
                self._path = str(cursor.fetchone()[0])
                cursor.execute(f"SET search_path = {SCHEMA}, pg_catalog, {self._path}")

    def put_back(self) -> None:
        """The real time counts again, also for whoever kept `now`."""
        self._ahead = timedelta()
        if not self._path:
            return
        # a transaction that failed takes all of this back when it is rolled back
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {self._path}")
            cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        self._path = ""

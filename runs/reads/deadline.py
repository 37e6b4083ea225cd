"""A read that may not take longer than a person waits."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

from runs.errors import RunsError

#: SQLite asks whether to go on after this many of its virtual machine's steps.
STEPS = 20_000
TIMEOUT = "statement_timeout"


class TooSlow(RunsError):
    """The database needed longer than allowed; `seconds` is what was allowed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Stopped after {seconds:g} s.")
        self.seconds = seconds


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Stop the statements inside after `seconds` and raise TooSlow."""
    guard = _postgresql if connection.vendor == "postgresql" else _sqlite
    try:
        with guard(seconds):
            yield
    except OperationalError as error:
        if _stopped(error):
            raise TooSlow(seconds) from error
        raise


@contextmanager
def _postgresql(seconds: float) -> Iterator[None]:
    nested = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting(%s), set_config(%s, %s, true)",
            [TIMEOUT, TIMEOUT, str(int(seconds * 1000))],
        )
        before = cursor.fetchone()[0]
        yield
        if nested:  # the setting would outlive this block
            cursor.execute("SELECT set_config(%s, %s, true)", [TIMEOUT, before])


@contextmanager
def _sqlite(seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    raw = connection.connection
    end = time.monotonic() + seconds
    raw.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


def _stopped(error: OperationalError) -> bool:
    """Whether this is our own limit (SQLSTATE 57014 query_canceled, SQLITE_INTERRUPT)."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", "") == "57014" or "interrupted" in str(error)

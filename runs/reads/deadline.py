"""A read that may not take longer than a person waits."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction

from runs.errors import RunsError

#: SQLite asks whether to go on after this many of its virtual machine's steps.
STEPS = 20_000
TIMEOUT = "statement_timeout"
#: Ways to read that have to end before the first row comes.
GATHERING = ("enable_sort", "enable_bitmapscan")


class TooSlow(RunsError):
    """The database needed longer than allowed; `seconds` is what was allowed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Stopped after {seconds:g} s.")
        self.seconds = seconds


@contextmanager
def deadline(seconds: float, *, in_order: bool = False) -> Iterator[None]:
    """Stop the statements inside after `seconds` and raise TooSlow.

    `in_order`: an index has the rows in the order they are asked for, and few of them are. PostgreSQL cannot
    guess how many texts have a word, and would rather read and sort all that may.
    """
    settings = dict.fromkeys(GATHERING, "off") if in_order else {}
    settings[TIMEOUT] = str(int(seconds * 1000))
    guard = _postgresql(settings) if connection.vendor == "postgresql" else _sqlite(seconds)
    try:
        with guard:
            yield
    except OperationalError as error:
        if _stopped(error):
            raise TooSlow(seconds) from error
        raise


@contextmanager
def _postgresql(settings: dict[str, str]) -> Iterator[None]:
    nested = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        before = _set(cursor, settings)
        yield
        if nested:  # the settings would outlive this block
            _set(cursor, before)


def _set(cursor: Any, settings: dict[str, str]) -> dict[str, str]:
    """For this transaction; what they were."""
    asked = ", ".join(["current_setting(%s), set_config(%s, %s, true)"] * len(settings))
    values = [one for name, value in settings.items() for one in (name, name, value)]
    cursor.execute(f"SELECT {asked}", values)
    return dict(zip(settings, cursor.fetchone()[::2], strict=True))


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

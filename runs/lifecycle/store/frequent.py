"""Statements that every request sends: prepared, on Django's connection.

Django binds parameters itself and sends a text the server has never seen, which it takes apart and
plans anew each time; that costs more than a row found by its key.
"""

from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper


def raw_cursor(connection: BaseDatabaseWrapper) -> "psycopg.RawCursor[Any] | None":
    """A cursor that prepares what it executes (`$1` stands for a value); None where that must not be.

    The connection has to say that it keeps prepared statements (`prepare_threshold`, which Django
    turns off for the sake of poolers), and nobody may want to see or count what is executed.
    """
    if connection.vendor != "postgresql":
        return None
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    if raw.prepare_threshold is None or is_watched(connection):
        return None
    connection.validate_no_broken_transaction()
    # numbered places: named by %s, a long statement is taken apart at each execution
    return psycopg.RawCursor(raw)


def is_watched(connection: BaseDatabaseWrapper) -> bool:
    """Whether somebody wants to see or count what is executed."""
    return bool(connection.execute_wrappers or connection.queries_logged)

"""Statements that every request sends: prepared, on Django's connection.

Django binds parameters itself and sends a text the server has never seen, which it takes apart and
plans anew each time; that costs more than a row found by its key. Outside a transaction, the commonest
case, psycopg's cursor is left out too, which costs more than to send a statement that is prepared.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import pq
from psycopg.errors import InvalidSqlStatementName

from runs.lifecycle.store.prepared import Parameter, as_text, checked

#: Statements of ours that one connection keeps; psycopg takes care of more.
MOST = 50
#: What each connection keeps, by their texts.
_names: "WeakKeyDictionary[psycopg.Connection[Any], dict[bytes, bytes]]" = WeakKeyDictionary()


def answer(
    connection: BaseDatabaseWrapper, statement: bytes, parameters: Sequence[Parameter]
) -> pq.abc.PGresult | None:
    """What the server says to a statement (`$1` stands for a value); None where it must not go this way.

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
    with connection.wrap_database_errors:
        if raw.autocommit and raw.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            names = _names.setdefault(raw, {})
            if statement in names or len(names) < MOST:
                return _executed(raw, names, statement, _texts(parameters))
        # numbered places: named by %s, a long statement is taken apart at each execution
        return psycopg.RawCursor(raw).execute(statement, parameters).pgresult


def _executed(
    raw: psycopg.Connection[Any],
    names: dict[bytes, bytes],
    statement: bytes,
    texts: list[Any],
) -> pq.abc.PGresult:
    """The answer. Raises psycopg.Error."""
    try:
        if name := names.get(statement):
            try:
                return checked(raw.pgconn.exec_prepared(name, texts))
            except InvalidSqlStatementName:
                pass  # psycopg forgets all statements when something was rolled back
        name = names.setdefault(statement, b"trackside_%d" % len(names))
        checked(raw.pgconn.prepare(name, statement))
        return checked(raw.pgconn.exec_prepared(name, texts))
    except psycopg.Error as error:
        if raw.pgconn.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError(str(error)) from error
        raise


def _texts(parameters: Sequence[Parameter]) -> list[bytes | None]:
    texts = list(map(as_text, parameters))
    if b"\0" in b"".join(filter(None, texts)):  # the end of a text, to libpq
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return texts


def is_watched(connection: BaseDatabaseWrapper) -> bool:
    """Whether somebody wants to see or count what is executed."""
    return bool(connection.execute_wrappers or connection.queries_logged)

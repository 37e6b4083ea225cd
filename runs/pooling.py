"""A pooler between us and PostgreSQL, such as PgBouncer, that lends a connection for one transaction.

Nothing of a session can be relied on there: settings, prepared statements, LISTEN, session locks.
"""

from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

SAY_SO = "add ?pool_mode=transaction to DATABASE_URL (see Behind a pooler in docs/deployment.md)"
#: What PgBouncer answers to settings that come with a connection.
UNSUPPORTED = "unsupported startup parameter"
#: Looks at who answers two connections in turn.
LOOKS = 3


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Whether the settings say so, by Django's own name for it."""
    pooled = connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS", False)
    return connection.vendor == "postgresql" and bool(pooled)


def problem() -> str:
    """The sentence for a database that is behind such a pooler without the settings saying so."""
    if connection.vendor != "postgresql" or is_pooled(connection) or not is_lent():
        return ""
    return f"A pooler lends the database's connections for one transaction each: {SAY_SO}."


def hint(error: str) -> str:
    """What to do about an error of connecting, where a pooler is the reason."""
    return f" If that is a pooler of transactions, {SAY_SO}." if UNSUPPORTED in error else ""


def is_lent() -> bool:
    """Whether two connections of ours that are open together are seen to share one of the server.

    A pooler tells a process id of its own; without one there is nothing more to ask.
    """
    connection.ensure_connection()
    if connection.connection.info.backend_pid == backend(connection):
        return False
    other = connections.create_connection("default")
    try:
        return any(backend(connection) == backend(other) for _ in range(LOOKS))
    finally:
        other.close()


def backend(link: BaseDatabaseWrapper) -> int:
    with link.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])

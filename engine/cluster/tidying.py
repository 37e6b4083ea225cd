"""What a worker does about what a body left behind."""

import logging
from contextlib import suppress

from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from engine.cluster.place import Place
from engine.cluster.processes import sweep_children

log = logging.getLogger("trackside")


def tidy(here: Place) -> None:
    """End the processes and database connections a body left behind."""
    left = sweep_children(set())
    if left:
        log.warning("Run %s left %s processes behind; they were killed.", here.slot.run_id, left)
    close_connections(interrupted=here.slot.is_asked)


def close_connections(*, interrupted: bool) -> None:
    """Django's connections of the body: gone when it left them in a transaction or broken.

    Of a body that was `interrupted` all go: the exception may have come in the middle of a query.
    """
    for connection in connections.all(initialized_only=True):
        if interrupted or connection.in_atomic_block or connection.needs_rollback:
            drop(connection)
        else:
            connection.close_if_unusable_or_obsolete()


def drop(connection: BaseDatabaseWrapper) -> None:
    """Close a connection and forget its state: inside `atomic` Django would never open it again."""
    with suppress(DatabaseError, InterfaceError):
        connection.close()
    del connections[connection.alias]

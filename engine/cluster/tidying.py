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
    close_connections(interrupted=here.slot.is_asked, in_use=bool(here.lodgers))


def close_connections(*, interrupted: bool, in_use: bool = False) -> None:
    """Django's connections of the body: gone when it left them in a transaction or broken.

    Of a body that was `interrupted` all go: the exception may have come in the middle of a query.
    Old ones stay while they are `in_use` by a body that waits here.
    """
    for connection in connections.all(initialized_only=True):
        if interrupted or connection.in_atomic_block or connection.needs_rollback:
            drop(connection)
        elif not in_use:
            connection.close_if_unusable_or_obsolete()


def connected() -> dict[str, object]:
    """Django's connections of this thread that are open."""
    found = connections.all(initialized_only=True)
    return {one.alias: one.connection for one in found if one.connection is not None}


def drop(connection: BaseDatabaseWrapper) -> None:
    """Close a connection and forget its state: inside `atomic` Django would never open it again."""
    with suppress(DatabaseError, InterfaceError):
        connection.close()
    del connections[connection.alias]

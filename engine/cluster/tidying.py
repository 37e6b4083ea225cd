"""What a worker does about what a body left behind."""

import logging
import os
import time
from contextlib import suppress

from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from engine.cluster import reload
from engine.cluster.endings import memory_of
from engine.cluster.limits import MEMORY_ROUND
from engine.cluster.place import Place
from engine.cluster.processes import resident, sweep_children
from engine.cluster.variables import has_old_variables
from runs import conf

log = logging.getLogger("trackside")

#: Of the memory of the usual machine.
LEFT_AT_MOST = 0.25


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


def is_used_up(here: Place) -> bool:
    """Whether another process is to go on in its place."""
    outdated = reload.is_outdated(here) or has_old_variables(here)
    return outdated or here.executed >= int(conf.get("RECYCLE_RUNS")) or is_bloated(here)


def is_bloated(here: Place) -> bool:
    """Whether bodies left so much memory in this process that it would be charged to the next run.

    Looked at now and then: the sentinel measures no oftener.
    """
    now = time.monotonic()
    if now - here.weighed_at > MEMORY_ROUND:
        here.weighed_at = now
        left = resident(os.getpid()) - here.resting
        here.is_bloated = left > memory_of(str(conf.get("MACHINE"))) * LEFT_AT_MOST
    return here.is_bloated


def connected() -> dict[str, object]:
    """Django's connections of this thread that are open."""
    found = connections.all(initialized_only=True)
    return {one.alias: one.connection for one in found if one.connection is not None}


def are_usable() -> bool:
    """Whether the databases still answer on the connections that are open."""
    opened = connections.all(initialized_only=True)
    return all(one.is_usable() for one in opened if one.connection is not None)


def drop(connection: BaseDatabaseWrapper) -> None:
    """Close a connection and forget its state: inside `atomic` Django would never open it again."""
    with suppress(DatabaseError, InterfaceError):
        connection.close()
    del connections[connection.alias]

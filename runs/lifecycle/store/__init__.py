"""The hot statements, one set for each database, behind one interface.

Triggering, claiming, starting and finishing are what every run costs, so they are raw SQL: one
server-side function each on PostgreSQL (`runs/sql/postgresql`), the same steps inside one gated
transaction on SQLite. Everything rarer goes through the ORM.

Who locks what, and in which order, on PostgreSQL:

1. lease, ready row and run, in the order `wait.sql` and `turn.sql` tell
2. the queue's own lock, an advisory one, by the queue's id: alone to change a queue and to give back
   a slot where the queue has a total limit; shared to give one back where only its keys have a limit
3. the queue's row, by id
4. its buckets' rows, by id

A claim comes from the other side, by way of a bucket. So it must not wait for anybody, and SKIP LOCKED
is no promise of that: PostgreSQL reaches the newest version of a row by way of the one the statement saw,
and waits on that way for whoever writes the row next. That is what the queue's own lock is for: a claim
tries it, and passes the queue over while somebody has it who may hold the row and want the bucket.
"""

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db import connection as default_connection

from runs.lifecycle.store.base import (
    Assignment,
    Bucket,
    Claim,
    Done,
    Finished,
    Next,
    Pressure,
    SessionLost,
    Store,
    Suspended,
    Turn,
    Waits,
)
from runs.lifecycle.store.endings import Ending
from runs.lifecycle.store.pooled import PooledStore
from runs.lifecycle.store.postgresql import PostgresStore
from runs.lifecycle.store.sqlite_waits import WaitingSqliteStore
from runs.models import Lane
from runs.pooling import is_pooled

#: What a dedicated store raises beside Django's own database errors.
DRIVER_ERRORS = psycopg.Error
#: Of these, the ones that say the same however often it is tried.
DRIVER_MISTAKES = (psycopg.DataError, psycopg.IntegrityError)

__all__ = [
    "DRIVER_ERRORS",
    "DRIVER_MISTAKES",
    "Assignment",
    "Bucket",
    "Claim",
    "Done",
    "Ending",
    "Finished",
    "Next",
    "Pressure",
    "SessionLost",
    "Store",
    "Suspended",
    "Turn",
    "Waits",
    "current",
    "dedicated",
]

STORES: dict[str, type[Store]] = {"postgresql": PostgresStore, "sqlite": WaitingSqliteStore}


def current() -> Store:
    """The store over Django's own connection: takes part in the caller's transaction."""
    # itself, not Django's stand-in for that of any thread, which looks it up at each word
    connection = connections[DEFAULT_DB_ALIAS]
    return STORES[connection.vendor].over(connection)


def dedicated(lane: Lane | None = None) -> Store:
    """A store with a connection of its own, which no user code can break or leave in a transaction.

    It claims and takes runs of every lane, or of one.
    """
    kind = PooledStore if is_pooled(default_connection) else STORES[default_connection.vendor]
    made = kind.separate()
    if lane is not None:
        made.keep_to(lane)
    return made

"""What the database server says of itself, in two short statements over its own statistics."""

import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from runs.models import (
    Bucket,
    Lease,
    Queue,
    Ready,
    Run,
    Waiter,
    Waitpoint,
    WorkerSession,
)

#: Tables that claims, starts and ends read and write all the time: dead rows in them cost every run.
HOT = [
    model._meta.db_table
    for model in (Bucket, Lease, Queue, Ready, Run, Waiter, Waitpoint, WorkerSession)
]
FACTS = """
SELECT current_setting('server_version'), current_setting('synchronous_commit'),
       current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
       current_setting('max_connections')::int, pg_database_size(current_database()),
       (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()),
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
       (SELECT extract(epoch FROM clock_timestamp() - min(prepared)) FROM pg_prepared_xacts WHERE database = current_database()),
       extract(epoch FROM clock_timestamp())
"""
#: The session whose snapshot is the oldest; sessions of other roles may not be seen.
SNAPSHOT = """
SELECT extract(epoch FROM clock_timestamp() - xact_start), pid, application_name, state
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
   AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
 ORDER BY xact_start LIMIT 1
"""
TABLES = """
SELECT relname, n_live_tup, n_dead_tup, greatest(last_vacuum, last_autovacuum)
  FROM pg_stat_user_tables WHERE relname = ANY(%s) AND schemaname = ANY(current_schemas(false)) ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a hot table, as the server's statistics have them."""

    name: str
    live: int
    dead: int
    vacuumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Server:
    """The database behind this process."""

    vendor: str
    version: str
    #: Bytes of the whole database.
    size: int
    #: Commits do not wait until they are on the disk: `synchronous_commit` is off.
    is_async: bool = False
    #: Or the disk is not waited for at all: `fsync` or `full_page_writes` is off.
    is_unsafe: bool = False
    connections: int = 0
    most_connections: int = 0
    #: Transactions since the oldest row that was not frozen.
    transaction_age: int = 0
    #: Seconds since the oldest snapshot that keeps dead rows from being removed, and whose it is.
    oldest_snapshot: float = 0.0
    snapshot_of: str = ""
    #: Seconds by which this process's clock is ahead of the server's.
    ahead: float = 0.0
    tables: list[Table] = field(default_factory=list)
    #: Of SQLite: bytes of its write-ahead log, the journal's mode, and whether it waits for the disk.
    log_size: int = 0

    @property
    def dead(self) -> int:
        return sum(table.dead for table in self.tables)


def server() -> Server:
    return _postgresql() if connection.vendor == "postgresql" else _sqlite()


def _postgresql() -> Server:
    with connection.cursor() as cursor:
        cursor.execute(FACTS)
        version, commit, is_safe, most, size, age, count, prepared, clock = cursor.fetchone()
        ahead = time.time() - float(clock)
        cursor.execute(SNAPSHOT)
        seconds, whose = _snapshot(cursor.fetchone())
        cursor.execute(TABLES, [HOT])
        tables = [Table(*row) for row in cursor.fetchall()]
    if float(prepared or 0) > seconds:
        seconds, whose = float(prepared), "a prepared transaction"
    return Server(
        vendor="postgresql",
        version=version.partition(" ")[0],
        size=size,
        is_async=commit == "off",
        is_unsafe=not is_safe,
        connections=count,
        most_connections=most,
        transaction_age=age,
        oldest_snapshot=seconds,
        snapshot_of=whose,
        ahead=ahead,
        tables=tables,
    )


def _snapshot(row: tuple[Any, ...] | None) -> tuple[float, str]:
    if row is None or row[0] is None:
        return 0.0, ""
    seconds, pid, application, state = row
    named = f" ({application})" if application else ""
    return max(float(seconds), 0.0), f"process {pid}{named}, {state}"


def _sqlite() -> Server:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()")
        version = cursor.fetchone()[0]
        cursor.execute("PRAGMA synchronous")
        level = int(cursor.fetchone()[0])
    name = str(connection.settings_dict["NAME"])
    return Server(
        vendor="sqlite",
        version=version,
        size=_size(name),
        is_async=level == 1,
        is_unsafe=level == 0,
        log_size=_size(f"{name}-wal"),
    )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # in memory, or not made yet
        return 0

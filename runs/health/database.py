"""The database: what it promises, and what makes it slow."""

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection

from runs import conf, migrated
from runs.health.points import BAD, NOTE, OK, WARN, Point
from runs.reads.server import Server, Table, server

MINUTE, HOUR = 60.0, 3600.0
#: Seconds right tables are taken to stay so: finding out reads all migrations.
REMEMBERED = 5 * MINUTE
_right_at = -REMEMBERED
#: Seconds of the oldest snapshot.
LONG, TOO_LONG = 5 * MINUTE, HOUR
#: Dead rows of a table, where they are also more than so many of the living ones.
MANY, TOO_MANY = 50_000, 500_000
SHARE, TOO_GREAT = 0.5, 1.0
#: Of a disk: free share and free bytes, of which both must fall short.
FREE, FREE_BYTES = 0.10, 5 * 10**9
NONE_LEFT, NONE_LEFT_BYTES = 0.02, 10**9
#: Transactions until the server stops taking any are two thousand million.
OLD, TOO_OLD = 1_000_000_000, 1_600_000_000
#: SQLite before 3.51.3 may lose commits that race a checkpoint; these have it mended too.
MENDED: dict[tuple[int, ...], int] = {(3, 44): 6, (3, 50): 7}
WAL_RESET = ((3, 7, 0), (3, 51, 3))


def tables() -> Iterator[Point]:
    """Whether they are those of this code."""
    global _right_at
    name = "Tables"
    is_known = time.monotonic() - _right_at < REMEMBERED
    problem = "" if is_known else migrated.problem()
    if problem:
        text, _, todo = problem.partition(". Run this first: ")
        yield Point("tables", name, BAD, text.rstrip(".") + ".", todo or "See what it says.")
        return
    if not is_known:
        _right_at = time.monotonic()
    yield Point("tables", name, OK, "Up to date with this code.")


def database() -> Iterator[Point]:
    """All that the server itself says."""
    found = server()
    yield from promises(found)
    if found.vendor == "sqlite":
        yield wal_reset(found.version)
        return
    yield snapshot(found.oldest_snapshot, found.snapshot_of)
    yield bloat(found.tables)
    yield connections(found.connections, found.most_connections)
    yield transactions(found.transaction_age)


def promises(found: Server) -> Iterator[Point]:
    """Whether what it acknowledged survives a power cut."""
    name, key = "Commits", "commits"
    # of a database to try things with it is often so on purpose
    loud = conf.get("ENVIRONMENT")["kind"] != "dev"
    if found.is_unsafe:
        what = (
            "fsync or full_page_writes is off"
            if found.vendor == "postgresql"
            else "synchronous is OFF"
        )
        text = f"{what}: a power cut may destroy the database."
        todo = "Switch it on in the server's configuration."
        yield Point(key, name, BAD, text, todo, is_loud=loud)
    elif found.is_async:
        text = "synchronous_commit is off: a crash of the server loses runs it has acknowledged."
        todo = "Switch it on: ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf()."
        yield Point(key, name, BAD, text, todo, is_loud=loud)
    else:
        yield Point(key, name, OK, "Wait until they are on the disk.")


def snapshot(seconds: float, whose: str) -> Point:
    """Dead rows stay for as long as somebody may still see them."""
    name, key = "Oldest snapshot", "snapshot"
    tone = BAD if seconds > TOO_LONG else WARN if seconds > LONG else OK
    if tone == OK:
        return Point(key, name, OK, f"{_span(seconds)} old.")
    text = (
        f"{_span(seconds)} old, of {whose}: dead rows cannot be removed, and claims become slower."
    )
    pid = re.match(r"process (\d+)", whose)
    end = (
        f"End it: SELECT pg_terminate_backend({pid[1]})."
        if pid
        else "End it: SELECT * FROM pg_prepared_xacts, then ROLLBACK PREPARED."
    )
    return Point(
        key, name, tone, text, f"{end} Set idle_in_transaction_session_timeout for its role."
    )


def bloat(tables: Iterable[Table]) -> Point:
    """Rows that a claim reads and throws away."""
    name, key = "Dead rows", "bloat"
    full = [table for table in tables if _is_over(table, MANY, SHARE)]
    if not full:
        return Point(key, name, OK, "Few, in the tables claims go through.")
    bad = any(_is_over(table, TOO_MANY, TOO_GREAT) for table in full)
    named = ", ".join(f"{table.name} has {table.dead:,} beside {table.live:,}" for table in full)
    todo = f"Run VACUUM {', '.join(table.name for table in full)}. If they come back: let autovacuum work more (autovacuum_max_workers, autovacuum_vacuum_cost_limit), and look for old snapshots."
    return Point(key, name, BAD if bad else WARN, f"{named} living rows.", todo)


def connections(count: int, most: int) -> Point:
    """Of the server; where none is left, nobody gets in."""
    name, key, text = "Connections", "connections", f"{count} of {most} in use."
    share = count / most if most else 0.0
    if share < 0.8:
        return Point(key, name, OK, text)
    todo = "Raise max_connections, run fewer workers or web processes, or put a pooler in front of the web."
    return Point(key, name, BAD if share >= 0.95 else WARN, text, todo)


def transactions(age: int) -> Point:
    """The server stops taking writes long before numbers run out."""
    name, key, text = "Transaction ids", "transactions", f"{age:,} since the oldest row."
    if age < OLD:
        return Point(key, name, OK, text)
    todo = "Run VACUUM (FREEZE) in this database, and find out why autovacuum did not: an old snapshot, a replication slot, a prepared transaction."
    return Point(key, name, BAD if age >= TOO_OLD else WARN, text, todo)


def pool() -> Iterator[Point]:
    """Connections of this very process."""
    found = getattr(connection, "pool", None)
    if found is None:
        return
    told = found.get_stats()
    waiting, errors = told.get("requests_waiting", 0), told.get("requests_errors", 0)
    text = f"{told.get('pool_size', 0)} of {told.get('pool_max', 0)} open in this web process"
    if not waiting and not errors:
        yield Point("pool", "Connection pool", OK, f"{text}.")
        return
    text += f"; {waiting} requests wait for one and {errors} got none since it started."
    todo = "Raise the pool's max_size in DATABASES, or run another web process."
    yield Point("pool", "Connection pool", WARN, text, todo)


def wal_reset(version: str) -> Point:
    """https://sqlite.org/wal.html: a commit that races a checkpoint."""
    name, key = "SQLite", "sqlite"
    number = tuple(int(part) for part in version.split("."))
    first, mended = WAL_RESET
    is_mended = number >= mended or number < first or number[2] >= MENDED.get(number[:2], 10**6)
    if is_mended:
        return Point(key, name, OK, f"Version {version}.")
    text = f"Version {version} has the WAL-reset bug: a commit that races a checkpoint may be lost."
    if connection.settings_dict["ENGINE"] == "runs.sqlite":
        text += " Trackside's backend never lets them meet; another program that writes to the file might."
        return Point(
            key, name, NOTE, text, "Use a Python with SQLite 3.51.3, 3.50.7, 3.44.6 or newer."
        )
    todo = 'Use the engine "runs.sqlite" in DATABASES, or a Python with SQLite 3.51.3, 3.50.7, 3.44.6 or newer.'
    return Point(key, name, BAD, text, todo)


def disk() -> Iterator[Point]:
    """Of the machine that shows it; a database server on another one watches its own."""
    for place, what in sorted(_places().items()):
        try:
            found = shutil.disk_usage(place)
        except OSError:
            continue
        share, text = found.free / found.total, f"{found.free / 1e9:,.1f} GB free for {what}."
        tone = OK
        if share < FREE and found.free < FREE_BYTES:
            tone = BAD if share < NONE_LEFT or found.free < NONE_LEFT_BYTES else WARN
        todo = (
            "" if tone == OK else f"Make room on the disk of {place}, or let retention remove more."
        )
        yield Point("disk", "Disk", tone, text, todo)


def _places() -> dict[Path, str]:
    """Directories this process writes to, one of each disk."""
    found: dict[Path, str] = {}
    if connection.vendor == "sqlite":
        found[Path(str(connection.settings_dict["NAME"])).parent] = "the database"
    packets = (
        storages[conf.get("PACKET_STORAGE")]
        if conf.get("PACKET_STORAGE") in settings.STORAGES
        else None
    )
    if isinstance(packets, FileSystemStorage):
        found.setdefault(Path(packets.location), "large payloads")
    disks: dict[int, tuple[Path, str]] = {}
    for place, what in found.items():
        here = next((one for one in (place, *place.parents) if one.exists()), None)
        if here is not None:
            disks.setdefault(here.stat().st_dev, (here, what))
    return dict(disks.values())


def _is_over(table: Table, count: int, share: float) -> bool:
    return table.dead > count and table.dead > share * table.live


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.0f} h"

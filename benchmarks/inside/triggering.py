"""How fast runs are made: one by one, in bulk, and the floor that bare SQL sets."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from runs import lifecycle
from runs.lifecycle import TriggerItem
from runs.models import Source

#: What one trigger writes. `runs_bucket` is made once per queue and key.
TABLES = ("runs_run", "runs_event", "runs_ready")
CHUNK = 1000
THREADS = 4
PAYLOAD = '{"order": 1234, "customer": "c-5678", "express": true}'


Rows = dict[str, list[tuple[Any, ...]]]


def single(count: int) -> float:
    """Runs per second, each its own call and its own commit."""
    lifecycle.trigger("bench-noop", PAYLOAD, source=Source.SDK)
    begun = time.perf_counter()
    for _ in range(count):
        lifecycle.trigger("bench-noop", PAYLOAD, source=Source.SDK)
    return count / (time.perf_counter() - begun)


def threads(count: int) -> float:
    """Runs per second from several threads at once, as a web process makes them."""
    lifecycle.trigger("bench-noop", PAYLOAD, source=Source.SDK)
    begun = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(_some, count // THREADS) for _ in range(THREADS)]:
            done.result()
    return count / (time.perf_counter() - begun)


def _some(count: int) -> None:
    for _ in range(count):
        lifecycle.trigger("bench-noop", PAYLOAD, source=Source.SDK)
    connection.close()


def bulk(count: int) -> float:
    """Runs per second, all in one call."""
    items = [TriggerItem(task_id="bench-noop", payload=PAYLOAD)] * count
    lifecycle.trigger(items[0].task_id, items[0].payload, source=Source.SDK)
    begun = time.perf_counter()
    lifecycle.trigger_many(items, source=Source.SDK)
    return count / (time.perf_counter() - begun)


def floor(count: int, floor_url: str) -> dict[str, float]:
    """The same rows into an empty copy of the schema: prepared INSERTs, and COPY."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as source:
        rows = {table: _read(source, table, count) for table in TABLES}
    with psycopg.connect(floor_url, autocommit=True) as target:
        return {"single": _insert_each(target, rows), "bulk": _copy_all(target, rows)}


def _read(connection: psycopg.Connection, table: str, count: int) -> list[tuple[Any, ...]]:
    order = "id" if table == "runs_run" else "run_id"
    query = sql.SQL("SELECT * FROM {} ORDER BY {} LIMIT %s")
    named = query.format(sql.Identifier(table), sql.Identifier(order))
    return connection.execute(named, [count]).fetchall()


def _insert_each(target: psycopg.Connection, rows: Rows) -> float:
    """One round trip and one commit for each run: three INSERTs in one prepared statement."""
    inserts = [
        sql.SQL("INSERT INTO {} VALUES ({})").format(
            sql.Identifier(table), sql.SQL(", ").join([sql.Placeholder()] * len(values[0]))
        )
        for table, values in rows.items()
    ]
    statement = sql.SQL("WITH a AS ({}), b AS ({}) {}").format(*inserts).as_string(target)
    begun = time.perf_counter()
    for together in zip(*rows.values(), strict=True):
        target.execute(statement, [*chain.from_iterable(together)], prepare=True)
    seconds = time.perf_counter() - begun
    target.execute("TRUNCATE runs_run, runs_event, runs_ready")
    return len(rows["runs_run"]) / seconds


def _copy_all(target: psycopg.Connection, rows: Rows) -> float:
    count = len(rows["runs_run"])
    begun = time.perf_counter()
    with target.transaction(), target.cursor() as cursor:
        for start in range(0, count, CHUNK):
            for table, values in rows.items():
                statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
                with cursor.copy(statement) as copy:
                    for row in values[start : start + CHUNK]:
                        copy.write_row(row)
    return count / (time.perf_counter() - begun)

"""Django's SQLite backend with a write gate.

SQLite lets writers race for its lock and starves some of them for seconds under load. Here every
write transaction first takes an exclusive `flock` on `<database>.gate`, begins IMMEDIATE, and lets
go after its commit; a single write outside of a transaction does the same. Checkpoints run only
while the gate is held, which also keeps clear of the WAL-reset bug of SQLite before 3.51.3 (a commit
racing a checkpoint).
"""

import fcntl
import os
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.backends.sqlite3.operations import DatabaseOperations
from django.db.utils import OperationalError

#: Seconds to wait for the gate, as for SQLite's own lock.
PATIENCE = 15.0
#: Seconds between two tries at it, at most: for as long as a writer usually has it, and later on.
OFTEN, SHORTLY, SELDOM = 0.0004, 0.01, 0.004
#: Bytes of write-ahead log that make the next writer checkpoint.
CHECKPOINT_AT = 4 * 1024 * 1024
#: Statements that write nothing; others outside of a transaction are one of their own.
READING = ("SELECT", "PRAGMA", "EXPLAIN", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 0",
    # what a restarted log is cut to: below CHECKPOINT_AT, or every later commit would checkpoint
    "PRAGMA journal_size_limit = 1048576",
    "PRAGMA cache_size = -20000",
)


class GuardedOperations(DatabaseOperations):
    """Lets `flush` empty append-only tables, as TRUNCATE does elsewhere."""

    def sql_flush(self, style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
            guards = [(name, text) for name, table, text in cursor.fetchall() if table in tables]
        return [
            *(f'DROP TRIGGER "{name}"' for name, _ in guards),
            *super().sql_flush(style, tables, **options),
            *(text for _, text in guards),
        ]


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection; holds the gate for as long as it is in a transaction."""

    ops_class = GuardedOperations
    gate: int | None = None

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params.setdefault("timeout", PATIENCE)
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if not self.is_in_memory_db():
            # nobody else's business, and what SQLite puts beside it has the same mode
            with suppress(OSError):
                os.close(os.open(self.settings_dict["NAME"], os.O_CREAT | os.O_EXCL, 0o600))
        connection = super().get_new_connection(conn_params)
        for pragma in PRAGMAS:
            connection.execute(pragma).close()
        return connection

    def create_cursor(self, name: str | None = None) -> "GatedCursor":
        cursor: GatedCursor = self.connection.cursor(factory=GatedCursor)
        cursor.wrapper = self
        return cursor

    def _start_transaction_under_autocommit(self) -> None:
        self.open_gate()
        try:
            self.cursor().execute("BEGIN IMMEDIATE")
        except BaseException:
            self.close_gate()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self.close_gate(checkpoint=True)

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self.close_gate()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self.close_gate()

    def open_gate(self) -> None:
        """Wait for the right to write; the descriptor lives for one transaction."""
        if self.gate is not None or self.is_in_memory_db():
            return
        path = f"{self.settings_dict['NAME']}.gate"
        gate = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            lock_within(gate, PATIENCE)
        except BaseException:
            os.close(gate)
            raise
        self.gate = gate

    def close_gate(self, *, checkpoint: bool = False) -> None:
        """Let the next writer in, after moving a grown write-ahead log into the database."""
        if self.gate is None:
            return
        try:
            if checkpoint and wal_size(self.settings_dict["NAME"]) > CHECKPOINT_AT:
                # refused while this connection still reads; a later commit does it
                with suppress(sqlite3.OperationalError):
                    self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        finally:
            fcntl.flock(
                self.gate, fcntl.LOCK_UN
            )  # a fork made meanwhile has a copy that stays open
            os.close(self.gate)
            self.gate = None


class GatedCursor(base.SQLiteCursorWrapper):
    """Takes the gate for a write that is a transaction by itself, such as a heartbeat."""

    wrapper: DatabaseWrapper

    def execute(self, query: str, params: Any = None) -> Any:
        with self.gated(query):
            return super().execute(query, params)

    def executemany(self, query: str, param_list: Any) -> Any:
        with self.gated(query):
            return super().executemany(query, param_list)

    @contextmanager
    def gated(self, query: str) -> Iterator[None]:
        mine = self.wrapper.gate is None and not query.lstrip().upper().startswith(READING)
        if not mine or self.connection.in_transaction:
            yield
            return
        self.wrapper.open_gate()
        try:
            yield
        finally:
            self.wrapper.close_gate()


def lock_within(descriptor: int, seconds: float) -> None:
    """Take the lock, trying often at first; raises OperationalError when time is up."""
    began = time.monotonic()
    pause = OFTEN
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - began
            if waited > seconds:
                raise OperationalError("database is locked: another writer holds it") from None
            time.sleep(pause * random.random())
            pause = OFTEN if waited < SHORTLY else min(pause * 1.5, SELDOM)
        else:
            return


def wal_size(database: str | os.PathLike[str]) -> int:
    """Bytes of write-ahead log, 0 when there is none."""
    try:
        return os.stat(f"{database}-wal").st_size
    except FileNotFoundError:
        return 0

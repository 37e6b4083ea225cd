"""A private PostgreSQL server, the one the tests use, and what measurements ask of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tests.support.postgres import Postgres


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its postmaster's pid and how to reach its databases."""

    pid: int
    address: str

    def url(self, database: str = "postgres") -> str:
        return self.address.replace("/postgres?", f"/{database}?")

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.url(database), autocommit=True)

    def create(self, database: str, template: str = "template1") -> str:
        """Make `database` anew, as a copy of `template`; its URL."""
        name, source = sql.Identifier(database), sql.Identifier(template)
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, source))
        return self.url(database)

    def settle(self, database: str) -> None:
        """Fresh statistics and nothing left to write: the same start for everyone measured."""
        with self.connect(database) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")


@contextmanager
def postgres() -> Iterator[Server]:
    """A durable server (fsync and synchronous_commit on) for as long as the block runs."""
    private = Postgres()
    try:
        private.start()
        server = Server(private.pid, private.local)
        _check_durability(server)
        yield server
    finally:
        private.stop()


def _check_durability(server: Server) -> None:
    """A figure without durable commits would be worth nothing."""
    with server.connect() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            row = connection.execute(f"SHOW {setting}").fetchone()
            if row != ("on",):
                raise SystemExit(f"PostgreSQL runs with {setting} off.")

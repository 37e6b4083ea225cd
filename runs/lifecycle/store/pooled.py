"""PostgreSQL behind a pooler that gives each transaction another connection of the server.

What a session keeps is not there the next time, or is somebody else's: no prepared statements, and
settings hold for one transaction. Statement and settings go out in one message, which PostgreSQL
executes as one transaction, so that a call is one round trip here too.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import Escaping

from runs.lifecycle.store import postgresql
from runs.lifecycle.store.base import Rows, Store
from runs.lifecycle.store.postgresql import PostgresStore, called
from runs.lifecycle.store.prepared import Parameter, as_text, read
from runs.models import Lane

#: For each transaction; server-side functions keep their plans here too, and `read` knows one style of dates.
SETTINGS = {**postgresql.SETTINGS, "datestyle": "ISO"}
LANE = "trackside.lane"


class PooledStore(PostgresStore):
    """Over a connection of its own, of which only the transaction is."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        connection.ensure_connection()
        self.raw: psycopg.Connection[Any] = connection.connection
        self.raw.prepare_threshold = None
        self.settings = dict(SETTINGS)
        self._prefix()

    @classmethod
    def separate(cls) -> Store:
        return cls(connections.create_connection("default"))

    def keep_to(self, lane: Lane) -> None:
        super().keep_to(lane)
        self.settings[LANE] = str(int(lane))
        self._prefix()

    def _prefix(self) -> None:
        calls = (f"set_config('{name}', '{value}', true)" for name, value in self.settings.items())
        self.prefix = f"SELECT {', '.join(calls)}".encode()

    def rows(self, statement: str, params: Sequence[Any] = ()) -> Rows:
        with self.raw.transaction(), self.raw.cursor() as cursor:
            cursor.execute(self.prefix)
            return cursor.execute(statement, params).fetchall()

    def call(self, verb: str, *parameters: Parameter) -> Sequence[Sequence[Any]]:
        escaping = Escaping(self.raw.pgconn)
        texts = map(as_text, parameters)
        # without a type, as in a prepared statement: the function's own parameters say it
        places = [b"NULL" if text is None else escaping.escape_literal(text) for text in texts]
        asked = called(verb, [f"{{{number}}}" for number in range(len(places))])
        words = asked.format(*(place.decode() for place in places))
        return read(self.raw.pgconn.exec_(b"%s; %s" % (self.prefix, words.encode())))

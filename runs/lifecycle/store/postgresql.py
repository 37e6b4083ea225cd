"""PostgreSQL: one prepared call of a server-side function for each verb."""

import json
from collections.abc import Sequence
from typing import Any, Self

import psycopg
from django.db import connections

from runs.lifecycle.store.base import (
    Assignment,
    Claim,
    Ending,
    Finished,
    Next,
    Rows,
    SessionLost,
    Store,
)

CLAIMABLE = """
SELECT EXISTS (
  SELECT 1 FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
   WHERE NOT b."full" AND NOT q.paused AND NOT q."full"
     AND EXISTS (SELECT 1 FROM runs_ready r WHERE r.bucket_id = b.id AND r.not_before IS NULL))
"""
FINISH = f"SELECT * FROM trackside_finish({', '.join(['%s'] * 13)})"


class PostgresStore(Store):
    """Over Django's connection, or (`separate`) over a raw one that prepares its statements."""

    raw: psycopg.Connection[Any] | None = None

    @classmethod
    def separate(cls) -> Self:
        store = cls(connections.create_connection("default"))
        store.connection.ensure_connection()
        raw: psycopg.Connection[Any] = store.connection.connection
        raw.prepare_threshold = 0
        raw.execute("SET jit = off")
        store.raw = raw
        return store

    def rows(self, sql: str, params: Sequence[Any]) -> Rows:
        if self.raw is not None:
            with psycopg.Cursor(self.raw) as fast:
                return fast.execute(sql, params).fetchall()
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())

    def insert(
        self,
        runs: Sequence[dict[str, Any]],
        ready: Sequence[dict[str, Any]],
        tags: Sequence[dict[str, Any]],
    ) -> None:
        texts = [json.dumps(rows, default=str) if rows else None for rows in (runs, ready, tags)]
        self.rows("SELECT trackside_insert(%s, %s, %s)", texts)

    def claim(self, session_id: str, slots: int) -> list[Claim]:
        found = self.rows("SELECT * FROM trackside_claim(%s, %s)", (session_id, slots))
        if found and found[0][0] is None:
            raise SessionLost(session_id)
        return [Claim(*row) for row in found]

    def claimable(self) -> bool:
        return bool(self.rows(CLAIMABLE, ())[0][0])

    def start(self, run_id: str, token: str, pid: int) -> Assignment | None:
        found = self.rows("SELECT * FROM trackside_start(%s, %s, %s)", (run_id, token, pid))
        return Assignment(*found[0]) if found else None

    def finish(self, ending: Ending, take: Next = Next.NONE, pid: int = 0) -> Finished:
        won, *assignment = self.rows(
            FINISH,
            (
                ending.run_id,
                ending.token,
                ending.status.value,
                ending.attempt_status.value,
                ending.kind.value,
                ending.output,
                ending.error,
                ending.delay,
                ending.reason,
                int(ending.uncounted),
                ending.crashed,
                int(take),
                pid,
            ),
        )[0]
        return Finished(won, Assignment(*assignment) if assignment[0] is not None else None)

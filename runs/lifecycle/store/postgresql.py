"""PostgreSQL: one prepared call of a server-side function for each verb."""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from runs.lifecycle.store import frequent
from runs.lifecycle.store.base import (
    Assignment,
    Bucket,
    Claim,
    Done,
    Finished,
    Next,
    Pressure,
    Rows,
    SessionLost,
    Store,
    Turn,
    Waits,
)
from runs.lifecycle.store.endings import Ending
from runs.lifecycle.store.postgresql_waits import SECOND, PostgresWaits, document, seconds_since
from runs.lifecycle.store.prepared import Parameter, Prepared, array
from runs.models import Lane, Run

CLAIMABLE = """
SELECT EXISTS (
  SELECT 1 FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
   WHERE NOT b."full" AND NOT q.paused AND NOT q."full"
     AND (SELECT 1 FROM runs_ready r WHERE r.bucket_id = b.id AND r.lane = ANY (%s) AND r.pin IN ('', %s)
             AND r.not_before IS NULL LIMIT 1) IS NOT NULL)
    OR EXISTS (
  SELECT 1 FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
   WHERE b.opens_at IS NOT NULL AND NOT q.paused AND NOT q."full"
     AND b.id IN (SELECT r.bucket_id FROM runs_ready r
                   WHERE r.not_before IS NULL AND r.resumed AND r.lane = ANY (%s) AND r.pin IN ('', %s)
                   LIMIT 1000))
"""
#: As `trackside_insert` does, of runs of one bucket that exists: it answers with as many rows as there are runs.
INSERT_ALIKE = """
WITH place AS (
  SELECT id FROM runs_bucket WHERE queue_id = $1 AND key_hash = $2 FOR KEY SHARE),
made AS (
  INSERT INTO runs_run ({columns}) SELECT {values} FROM place{each}
  RETURNING id, status, actor, reason, created_at, sort_key, delay_until, lane),
told AS (
  INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
  SELECT id, 'triggered', status, 0, actor, reason, '', created_at FROM made){tagged}
INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane)
SELECT made.id, place.id, made.sort_key, made.delay_until, made.lane FROM made, place
"""
#: Its part for runs with tags; others need not pay for it.
TAGGED = """,
tagged AS (
  INSERT INTO runs_runtag (tag, run_id)
  SELECT t.tag, t.run_id FROM place, unnest($3::text[], $4::text[]) AS t(tag, run_id))"""
#: What runs of one bucket have in common.
ALIKE = {"status", "queue", "concurrency_key"}
INSERT_LONG = "SELECT trackside_insert($1::json, $2::json, $3::json, $4::json)"
#: Characters of values from which on they do not stand in the statement.
LONG = 100_000
#: What every run costs, with the number of its parameters.
CALLS = {
    "assignment": 1,
    "start": 5,
    "turn": 9,
    "turn_over": 9,
    "finish": 18,
    "claim_started": 4,
    "held_by": 2,
    "suspend": 16,
    "keep": 20,
    "remember": 1,
    "recall": 3,
}
#: Of a session. Plans are kept for its life; one made while a table was empty would scan it for ever.
SETTINGS = {"enable_seqscan": "off", "jit": "off"}
#: A composite column is spread over columns of its own.
COLUMNS = {"finish": "won, (work).*", "suspend": "outcome, (work).*"}


class PostgresStore(PostgresWaits):
    """Over Django's connection."""

    @classmethod
    def separate(cls) -> Store:
        return SeparateStore(connections.create_connection("default"))

    def rows(self, statement: str, params: Sequence[Any] = ()) -> Rows:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall())

    def call(self, verb: str, *parameters: Parameter) -> Sequence[Sequence[Any]]:
        """The rows a verb answers with."""
        places = ["%s" for _ in parameters]
        return self.rows(called(verb, places), parameters)

    def insert(
        self,
        common: dict[str, Any],
        runs: Sequence[dict[str, Any]],
        buckets: Sequence[Bucket],
        tags: Sequence[dict[str, Any]],
    ) -> None:
        if len(runs) == len(buckets) == 1:
            common, runs = common | runs[0], [{}]
        alike = len(buckets) == 1 and common.keys() >= ALIKE
        if alike and self.insert_alike(common, runs, buckets[0], tags):
            return
        places = [bucket._asdict() for bucket in buckets]
        texts = [document(part) if part else None for part in (common, runs, places, tags)]
        if frequent.is_watched(self.connection) or sum(len(text or "") for text in texts) < LONG:
            self.rows("SELECT trackside_insert(%s, %s, %s, %s)", texts)
        else:
            self._insert_long(texts)

    def _insert_long(self, texts: Sequence[str | None]) -> None:
        """The values beside the statement: a connection keeps the texts of the last hundred."""
        self.connection.ensure_connection()
        self.connection.validate_no_broken_transaction()
        with self.connection.wrap_database_errors:
            psycopg.RawCursor(self.connection.connection).execute(INSERT_LONG, texts)

    def insert_alike(
        self,
        common: dict[str, Any],
        runs: Sequence[dict[str, Any]],
        bucket: Bucket,
        tags: Sequence[dict[str, Any]],
    ) -> bool:
        """The commonest cases as one prepared statement; False when it is none or has no bucket yet."""
        given = {name: value for name, value in common.items() if value is not None}
        tagged = [_column(tags, name) for name in ("tag", "run_id")] if tags else []
        each = [_column(runs, name) for name in runs[0]]
        statement = inserting(tuple(given), tuple(runs[0]), bool(tags))
        values = [*bucket.place, *tagged, *given.values(), *each]
        answer = frequent.answer(self.connection, statement, values)
        return answer is not None and answer.command_tuples == len(runs)

    def claim(self, session_id: str, slots: int) -> list[Claim]:
        found = self.rows("SELECT * FROM trackside_claim(%s, %s)", (session_id, slots))
        if found and found[0][0] is None:
            raise SessionLost(session_id)
        return [Claim(*row) for row in found]

    def claim_started(self, session_id: str, slots: int, pid: int) -> list[Assignment]:
        found = self.call("claim_started", session_id, slots, pid, self.version)
        if found and found[0][0] is None:
            raise SessionLost(session_id)
        return [Assignment(*row) for row in found]

    def held_by(self, session_id: str, pid: int) -> list[Assignment]:
        return [Assignment(*row) for row in self.call("held_by", session_id, pid)]

    def claimable(self) -> bool:
        lanes = [int(lane) for lane in self.lanes]
        return bool(self.rows(CLAIMABLE, (lanes, self.version) * 2)[0][0])

    def pressure(self, session_id: str) -> Pressure:
        weighs, waits = self.rows("SELECT * FROM trackside_pressure(%s)", (session_id,))[0]
        return Pressure(weighs, Waits(waits))

    def assigned(self, run_id: str, token: str) -> Assignment | None:
        found = [Assignment(*row) for row in self.call("assignment", run_id)]
        return found[0] if found and found[0].token == token else None

    def start(
        self, run_id: str, token: str, pid: int, began: int | None = None
    ) -> Assignment | None:
        found = self.call("start", run_id, token, pid, seconds_since(began), self.version)
        return Assignment(*found[0]) if found else None

    def turn(self, done: Sequence[Done], take: Next, most: int, pid: int) -> Turn:
        return turned(self.call("turn", *columns(done), int(take), most, pid, self.version))

    def turn_over(self, done: Sequence[Done], session_id: str, most: int, pid: int) -> Turn:
        facts = (session_id, most, pid, self.version)
        return turned(self.call("turn_over", *columns(done), *facts))

    def finish(self, ending: Ending, take: Next = Next.NONE, pid: int = 0) -> Finished:
        won, *assignment = self.call(
            "finish",
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
            ending.machine,
            ending.hooked,
            self.version,
            ending.lane,
            ending.mark,
        )[0]
        return Finished(won, Assignment(*assignment) if assignment[0] is not None else None)


class SeparateStore(PostgresStore):
    """Over a connection of its own, which prepares its statements."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        connection.ensure_connection()
        raw: psycopg.Connection[Any] = connection.connection
        raw.prepare_threshold = 0
        for name, value in SETTINGS.items():
            raw.execute(f"SET {name} = {value}")
        self.cursor = psycopg.Cursor(raw)
        self.prepared = Prepared(
            raw,
            {
                verb: called(verb, [f"${number}" for number in range(1, count + 1)])
                for verb, count in CALLS.items()
            },
        )

    def keep_to(self, lane: Lane) -> None:
        super().keep_to(lane)
        raw: psycopg.Connection[Any] = self.connection.connection
        raw.execute(f"SET trackside.lane = '{int(lane)}'")

    def rows(self, statement: str, params: Sequence[Any] = ()) -> Rows:
        return self.cursor.execute(statement, params).fetchall()

    def call(self, verb: str, *parameters: Parameter) -> Sequence[Sequence[Any]]:
        return self.prepared.rows(verb, *parameters)


def columns(done: Sequence[Done]) -> list[Parameter]:
    """Bodies that returned, as arrays; the moments as seconds ago."""
    now = time.monotonic_ns()
    *facts, began, ended = map(list, zip(*done, strict=True))
    return [
        *facts,
        *([(now - moment) / SECOND for moment in moments] for moments in (began, ended)),
    ]


def turned(rows: Sequence[Sequence[Any]]) -> Turn:
    """Runs that were taken, and ids alone of those that had been taken back."""
    works = [Assignment(*row) for row in rows if row[1] is not None]
    return Turn(works, [row[0] for row in rows if row[1] is None])


def _column(rows: Sequence[dict[str, Any]], name: str) -> str:
    """As an array; psycopg takes several times as long to write one."""
    return array([row[name] for row in rows]).decode()


@lru_cache(256)
def inserting(common: Sequence[str], each: Sequence[str], has_tags: bool) -> bytes:
    """The statement that inserts claimable runs of one bucket.

    Its values: the bucket's place, with tags an array of them and one of their runs, the columns that
    all runs have in common, and an array for each of the others.
    """
    types = {field.column: field.db_type(connections["default"]) for field in Run._meta.fields}
    # a cast to a length would cut off what is longer instead of refusing it
    kinds = [str(types[name]).partition("(")[0] for name in (*common, *each)]
    places = [f"${number}::{kind}" for number, kind in enumerate(kinds, start=5 if has_tags else 3)]
    arrays = ", ".join(f"{place}[]" for place in places[len(common) :])
    return INSERT_ALIKE.format(
        columns=", ".join((*common, *each)),
        values=", ".join((*places[: len(common)], *(f"each.{name}" for name in each))),
        tagged=TAGGED if has_tags else "",
        each=f", unnest({arrays}) AS each({', '.join(each)})" if each else "",
    ).encode()


def called(verb: str, places: Sequence[str]) -> str:
    return f"SELECT {COLUMNS.get(verb, '*')} FROM trackside_{verb}({', '.join(places)})"

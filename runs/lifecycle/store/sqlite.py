"""SQLite: the same steps as `runs/sql/postgresql`, inside one gated transaction each.

Writers are serial here, so nothing needs a row lock and a count is exact as it is.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from runs.lifecycle.store.base import (
    ASSIGNMENT_COLUMNS,
    Assignment,
    Claim,
    Ending,
    Finished,
    Next,
    Rows,
    SessionLost,
    Store,
    canceled,
)
from runs.states import RunStatus

HEAD = """
DELETE FROM runs_ready WHERE run_id = (
  SELECT run_id FROM runs_ready WHERE bucket_id = %s AND not_before IS NULL
   ORDER BY sort_key, run_id LIMIT 1)
RETURNING run_id
"""
TAKE = """
UPDATE runs_run
   SET status = %s, attempt_number = attempt_number + %s, started_at = coalesce(started_at, %s),
       executed_at = CASE WHEN %s THEN coalesce(executed_at, %s) ELSE executed_at END,
       reason = '', retry_at = NULL, updated_at = %s
 WHERE id = %s AND status = 'QUEUED'
   AND (expires_at IS NULL OR expires_at > %s OR started_at IS NOT NULL)
RETURNING attempt_number
"""
EXPIRE = """
UPDATE runs_run SET status = 'EXPIRED', finished_at = %s, updated_at = %s,
       reason = 'Its time to live passed before a worker could start it.'
 WHERE id = %s AND status = 'QUEUED' AND started_at IS NULL AND expires_at <= %s
RETURNING id
"""
OPEN_BUCKET = """
SELECT b.id, b.queue_id, coalesce(q.override_limit, q.concurrency_limit), q.total_limit
  FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
 WHERE NOT b."full" AND NOT q.paused AND NOT q."full"
   AND EXISTS (SELECT 1 FROM runs_ready r WHERE r.bucket_id = b.id AND r.not_before IS NULL)
 ORDER BY b.served LIMIT 1
"""
EVENT = """
INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
LEASE = """
INSERT INTO runs_lease (run_id, bucket_id, queue_id, session_id, attempt, token, claimed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
ATTEMPT = """
INSERT INTO runs_attempt (run_id, number, status, session_id, pid, started_at, segment_started_at, segments)
VALUES (%s, %s, 'EXECUTING', %s, %s, %s, %s, '[]')
"""
END = """
UPDATE runs_run
   SET status = CASE WHEN cancel_requested_at IS NULL THEN %s ELSE 'CANCELED' END,
       finished_at = CASE WHEN %s AND cancel_requested_at IS NULL THEN NULL ELSE %s END,
       output = CASE WHEN cancel_requested_at IS NULL THEN %s END,
       error = coalesce(%s, error),
       reason = CASE WHEN cancel_requested_at IS NULL THEN %s ELSE reason END,
       retry_at = CASE WHEN %s AND cancel_requested_at IS NULL THEN %s END,
       uncounted_attempts = uncounted_attempts + %s, crash_count = crash_count + %s,
       usage_ms = usage_ms + coalesce((
         SELECT cast((julianday(%s) - julianday(segment_started_at)) * 86400000 AS integer)
           FROM runs_attempt WHERE run_id = %s AND number = %s), 0),
       done_token = %s, updated_at = %s
 WHERE id = %s
RETURNING status, sort_key
"""
END_ATTEMPT = """
UPDATE runs_attempt SET status = %s, finished_at = %s, error = %s, retry_at = %s
 WHERE run_id = %s AND number = %s AND status = 'EXECUTING'
"""
MAY_INHERIT = """
SELECT 1 FROM runs_queue q WHERE q.id = %s AND NOT q.paused
   AND (coalesce(q.override_limit, q.concurrency_limit) IS NULL
        OR (SELECT count(*) FROM runs_lease l WHERE l.bucket_id = %s)
           < coalesce(q.override_limit, q.concurrency_limit))
   AND (q.total_limit IS NULL
        OR (SELECT count(*) FROM runs_lease l WHERE l.queue_id = q.id) < q.total_limit)
"""
READY = "INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before) VALUES (%s, %s, %s, %s)"
LIVE = "SELECT 1 FROM runs_workersession WHERE id = %s AND state = 'ALIVE'"


def stamp(moment: datetime) -> str:
    """A moment as Django's SQLite backend stores it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def now() -> str:
    return stamp(datetime.now(UTC))


class SqliteStore(Store):
    """Over any connection of the `runs.sqlite` (or Django's own) backend."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The caller's transaction if there is one, else one of its own."""
        connection = self.connection
        if connection.in_atomic_block:
            yield
            return
        connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        try:
            yield
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.set_autocommit(True)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> Rows:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())

    def insert(
        self,
        runs: Sequence[dict[str, Any]],
        ready: Sequence[dict[str, Any]],
        tags: Sequence[dict[str, Any]],
    ) -> None:
        with self.transaction():
            self.insert_many("runs_run", runs)
            events = [
                (r["id"], "triggered", r["status"], 0, r["actor"], r["reason"], "", r["created_at"])
                for r in runs
            ]
            with self.connection.cursor() as cursor:
                cursor.executemany(EVENT, [tuple(map(plain, event)) for event in events])
            self.insert_many("runs_runtag", tags)
            buckets: dict[tuple[int, str], int] = {}
            for row in ready:
                bucket = (row["queue_id"], row["key_hash"])
                if bucket not in buckets:
                    buckets[bucket] = self.bucket(*bucket, row["concurrency_key"])
            self.insert_many(
                "runs_ready",
                [
                    {
                        "run_id": row["run_id"],
                        "bucket_id": buckets[row["queue_id"], row["key_hash"]],
                        "sort_key": row["sort_key"],
                        "not_before": row["not_before"],
                    }
                    for row in ready
                ],
            )

    def insert_many(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        columns = list(rows[0])
        names = ", ".join(f'"{name}"' for name in columns)
        places = ", ".join(["%s"] * len(columns))
        with self.connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({places})",  # noqa: S608  own names only
                [[plain(row[name]) for name in columns] for row in rows],
            )

    def bucket(self, queue_id: int, key_hash: str, key: str | None) -> int:
        self.rows(
            "INSERT INTO runs_bucket (queue_id, concurrency_key, key_hash, served, \"full\") "
            "VALUES (%s, %s, %s, 0, 0) ON CONFLICT (queue_id, key_hash) DO NOTHING",
            (queue_id, key, key_hash),
        )
        found = self.rows(
            "SELECT id FROM runs_bucket WHERE queue_id = %s AND key_hash = %s", (queue_id, key_hash)
        )
        return int(found[0][0])

    def claim(self, session_id: str, slots: int) -> list[Claim]:
        if not self.rows(LIVE, (session_id,)):
            raise SessionLost(session_id)
        if not self.claimable():
            return []
        claims = []
        with self.transaction():
            if not self.rows(LIVE, (session_id,)):
                raise SessionLost(session_id)
            for _ in range(slots):
                claim = self.claim_one(session_id, start=False, pid=0)
                if claim is None:
                    break
                claims.append(claim)
        return claims

    def claimable(self) -> bool:
        return bool(self.rows(OPEN_BUCKET))

    def claim_one(self, session_id: str, *, start: bool, pid: int) -> Claim | None:
        while found := self.rows(OPEN_BUCKET):
            bucket, queue, limit, total = found[0]
            if total is not None and self.held("queue_id", queue) >= total:
                self.rows('UPDATE runs_queue SET "full" = 1 WHERE id = %s', (queue,))
                continue
            held = 0 if limit is None else self.held("bucket_id", bucket)
            if limit is not None and held >= limit:
                self.rows('UPDATE runs_bucket SET "full" = 1 WHERE id = %s', (bucket,))
                continue
            claim = self.take(bucket, queue, session_id, start=start, pid=pid)
            if claim is not None:
                full = limit is not None and held + 1 >= limit
                self.rows(
                    'UPDATE runs_bucket SET served = %s, "full" = %s WHERE id = %s',
                    (time.time_ns() // 1000, full, bucket),
                )
                return claim
        return None

    def held(self, column: str, value: int) -> int:
        sql = f"SELECT count(*) FROM runs_lease WHERE {column} = %s"  # noqa: S608  own names only
        return int(self.rows(sql, (value,))[0][0])

    def take(
        self, bucket: int, queue: int, session_id: str, *, start: bool, pid: int
    ) -> Claim | None:
        while found := self.rows(HEAD, (bucket,)):
            run_id, at = found[0][0], now()
            status = RunStatus.EXECUTING if start else RunStatus.DEQUEUED
            params = (status.value, int(start), at, start, at, at, run_id, at)
            taken = self.rows(TAKE, params)
            if not taken:
                self.expire(run_id)
                continue
            attempt = taken[0][0] + (0 if start else 1)
            token = str(uuid.uuid4())
            self.rows(LEASE, (run_id, bucket, queue, session_id, attempt, token, at))
            if start:
                self.rows(ATTEMPT, (run_id, attempt, session_id, pid, at, at))
            self.event(run_id, "started" if start else "dequeued", status, attempt, session_id, at)
            return Claim(run_id, token, attempt)
        return None

    def expire(self, run_id: str) -> None:
        at = now()
        if self.rows(EXPIRE, (at, at, run_id, at)):
            self.rows("DELETE FROM runs_idempotency WHERE run_id = %s", (run_id,))
            self.rows(EVENT, (run_id, "expired", "EXPIRED", 0, "system", "", "", at))

    def event(
        self, run_id: str, kind: str, status: str, attempt: int, session_id: str, at: str
    ) -> None:
        self.rows(EVENT, (run_id, kind, str(status), attempt, f"session:{session_id}", "", "", at))

    def assignment(self, run_id: str) -> Assignment:
        sql = (
            f"SELECT {ASSIGNMENT_COLUMNS} FROM runs_lease l "  # noqa: S608  own names only
            "JOIN runs_run r ON r.id = l.run_id WHERE l.run_id = %s"
        )
        found = Assignment(*self.rows(sql, (run_id,))[0])
        return found._replace(
            is_test=bool(found.is_test),
            created_at=moment(found.created_at),
            started_at=moment(found.started_at),
        )

    def start(self, run_id: str, token: str, pid: int) -> Assignment | None:
        with self.transaction():
            lease = self.rows(
                "SELECT session_id, attempt FROM runs_lease WHERE run_id = %s AND token = %s",
                (run_id, token),
            )
            if not lease:
                return None
            (session_id, attempt), at = lease[0], now()
            started = self.rows(
                "UPDATE runs_run SET status = 'EXECUTING', attempt_number = %s, updated_at = %s, "
                "executed_at = coalesce(executed_at, %s) WHERE id = %s AND status = 'DEQUEUED' "
                "AND cancel_requested_at IS NULL RETURNING id",
                (attempt, at, at, run_id),
            )
            if not started:
                self.end(canceled(run_id, token))
                return None
            self.rows(ATTEMPT, (run_id, attempt, session_id, pid, at, at))
            self.event(run_id, "started", RunStatus.EXECUTING, attempt, session_id, at)
            return self.assignment(run_id)

    def finish(self, ending: Ending, take: Next = Next.NONE, pid: int = 0) -> Finished:
        with self.transaction():
            lease = self.end(ending)
            if lease is None:
                return Finished(self.has_won(ending))
            bucket, queue, session_id = lease
            if take and not self.rows(f"{LIVE} AND NOT draining", (session_id,)):
                take = Next.NONE
            claim = None
            if take == Next.SAME and self.rows(MAY_INHERIT, (queue, bucket)):
                claim = self.take(bucket, queue, session_id, start=True, pid=pid)
            if claim is None:
                self.release(bucket, queue)
            if claim is None and take:
                claim = self.claim_one(session_id, start=True, pid=pid)
            return Finished(True, None if claim is None else self.assignment(claim.run_id))

    def has_won(self, ending: Ending) -> bool:
        sql = "SELECT 1 FROM runs_run WHERE id = %s AND done_token = %s"
        return bool(self.rows(sql, (ending.run_id, ending.token)))

    def release(self, bucket: int, queue: int) -> None:
        self.rows('UPDATE runs_bucket SET "full" = 0 WHERE id = %s AND "full"', (bucket,))
        self.rows('UPDATE runs_queue SET "full" = 0 WHERE id = %s AND "full"', (queue,))

    def end(self, ending: Ending) -> tuple[int, int, str] | None:
        """See `trackside_end`."""
        lease = self.rows(
            "DELETE FROM runs_lease WHERE run_id = %s AND token = %s "
            "RETURNING bucket_id, queue_id, session_id, attempt",
            (ending.run_id, ending.token),
        )
        if not lease:
            return None
        bucket, queue, session_id, attempt = lease[0]
        at, retry = now(), ending.is_retry
        due = due_at(ending.delay)
        status, sort_key = self.rows(END, end_params(ending, attempt, at, due))[0]
        attempt_status, kind = ending.attempt_status.value, ending.kind.value
        if status == RunStatus.CANCELED:
            attempt_status, kind, retry = "CANCELED", "canceled", False
        self.rows(
            END_ATTEMPT,
            (
                attempt_status,
                at,
                ending.error,
                (due or at) if retry else None,
                ending.run_id,
                attempt,
            ),
        )
        data = f'{{"delay" : {ending.delay}}}' if retry and ending.delay else ""
        actor = f"session:{session_id}"
        self.rows(
            EVENT, (ending.run_id, kind, status, attempt, actor, ending.reason, data, at)
        )
        if status == RunStatus.QUEUED:
            self.rows(READY, (ending.run_id, bucket, sort_key, due))
        elif status not in KEEPS_KEY:
            self.rows("DELETE FROM runs_idempotency WHERE run_id = %s", (ending.run_id,))
        return bucket, queue, session_id


KEEPS_KEY = (RunStatus.COMPLETED, RunStatus.CANCELED, RunStatus.PENDING_VERSION)


def end_params(ending: Ending, attempt: int, at: str, due: str | None) -> tuple[Any, ...]:
    retry = ending.is_retry
    return (
        ending.status.value,
        retry,
        at,
        ending.output,
        ending.error,
        ending.reason,
        retry,
        due,
        int(ending.uncounted),
        int(ending.crashed),
        at,
        ending.run_id,
        attempt,
        ending.token,
        at,
        ending.run_id,
    )




def due_at(delay: float | None) -> str | None:
    return stamp(datetime.now(UTC) + timedelta(seconds=delay)) if delay else None


def moment(stored: Any) -> datetime:
    """A stored moment, aware; the driver hands it over naive."""
    return stored.replace(tzinfo=UTC)  # type: ignore[no-any-return]


def plain(value: Any) -> Any:
    return stamp(value) if isinstance(value, datetime) else value

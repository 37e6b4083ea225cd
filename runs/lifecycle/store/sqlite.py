"""SQLite: the same steps as `runs/sql/postgresql`, inside one gated transaction each.

Writers are serial here, so nothing needs a row lock and a count is exact as it is.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from runs.lifecycle.store import statements as sql
from runs.lifecycle.store.base import (
    Assignment,
    Bucket,
    Claim,
    Ending,
    Finished,
    Next,
    Rows,
    SessionLost,
    Store,
    canceled,
)
from runs.states import UNSUCCESSFUL, AttemptStatus, RunStatus


class SqliteStore(Store):
    """Over any connection of the `runs.sqlite` (or Django's own) backend."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The caller's transaction if there is one, else one of its own."""
        connection = self.connection
        if connection.in_atomic_block or not connection.get_autocommit():
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

    def rows(self, statement: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Rows:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall())

    # -- trigger ----------------------------------------------------------------------------------

    def insert(
        self,
        common: dict[str, Any],
        runs: Sequence[dict[str, Any]],
        buckets: Sequence[Bucket],
        tags: Sequence[dict[str, Any]],
    ) -> None:
        rows = [common | own for own in runs]
        with self.transaction():
            self.insert_many("runs_run", rows)
            self.many(sql.EVENT, [sql.triggered(row) for row in rows])
            self.insert_many("runs_runtag", tags)
            ids = {(one.queue, one.concurrency_key): self.bucket(one) for one in buckets}
            self.many(sql.READY, [sql.ready(row, ids) for row in rows if sql.is_due(row)])

    def insert_many(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        names = ", ".join(f'"{name}"' for name in rows[0])
        places = ", ".join(["%s"] * len(rows[0]))
        self.many(
            f"INSERT INTO {table} ({names}) VALUES ({places})",
            [tuple(row[name] for name in rows[0]) for row in rows],
        )

    def many(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(statement, [tuple(map(sql.plain, row)) for row in rows])

    def bucket(self, wanted: Bucket) -> int:
        """The id of a bucket, made where missing."""
        self.rows(sql.BUCKET, (wanted.queue_id, wanted.concurrency_key, wanted.key_hash))
        return int(self.rows(sql.FIND_BUCKET, wanted.place)[0][0])

    # -- claim and start --------------------------------------------------------------------------

    def claim(self, session_id: str, slots: int) -> list[Claim]:
        self.check(session_id)
        if not self.claimable():
            return []
        claims: list[Claim] = []
        with self.transaction():
            self.check(session_id)
            while len(claims) < slots and (claim := self.claim_one(session_id, start=False, pid=0)):
                claims.append(claim)
        return claims

    def check(self, session_id: str) -> None:
        if not self.rows(sql.LIVE, (session_id,)):
            raise SessionLost(session_id)

    def claimable(self) -> bool:
        return bool(self.rows(sql.OPEN_BUCKET))

    def claim_one(self, session_id: str, *, start: bool, pid: int) -> Claim | None:
        """See `trackside_claim_one`."""
        while found := self.rows(sql.OPEN_BUCKET):
            bucket, queue, limit, total = found[0]
            if total is not None and self.held("queue_id", queue) >= total:
                self.rows(sql.QUEUE_FULL, (queue,))
                continue
            held = 0 if limit is None else self.held("bucket_id", bucket)
            if limit is not None and held >= limit:
                self.rows(sql.BUCKET_FULL, (bucket,))
                continue
            claim = self.take(bucket, queue, session_id, start=start, pid=pid)
            if claim is not None:
                full = limit is not None and held + 1 >= limit
                self.rows(sql.SERVED, (time.time_ns() // 1000, full, bucket))
                return claim
        return None

    def held(self, column: str, value: int) -> int:
        count = f"SELECT count(*) FROM runs_lease WHERE {column} = %s"
        return int(self.rows(count, (value,))[0][0])

    def take(
        self, bucket: int, queue: int, session_id: str, *, start: bool, pid: int
    ) -> Claim | None:
        """See `trackside_take`."""
        while found := self.rows(sql.HEAD, (bucket,)):
            run_id, at = found[0][0], sql.now()
            status = RunStatus.EXECUTING if start else RunStatus.DEQUEUED
            params = (status.value, int(start), at, start, at, at, run_id, at)
            taken = self.rows(sql.TAKE, params)
            if not taken:
                self.expire(run_id)
                continue
            attempt = taken[0][0] + (0 if start else 1)
            token = str(uuid.uuid4())
            started = at if start else None
            self.rows(
                sql.LEASE,
                (run_id, bucket, queue, session_id, attempt, token, at, pid, started),
            )
            self.event(run_id, "started" if start else "dequeued", status, attempt, session_id, at)
            return Claim(run_id, token, attempt)
        return None

    def expire(self, run_id: str) -> None:
        at = sql.now()
        if self.rows(sql.EXPIRE, (at, at, run_id, at)):
            self.rows(sql.FREE_KEY, (run_id,))
            self.rows(sql.EVENT, (run_id, "expired", "EXPIRED", 0, "system", "", "", at))

    def event(
        self, run_id: str, kind: str, status: str, attempt: int, session_id: str, at: str
    ) -> None:
        actor = f"session:{session_id}"
        self.rows(sql.EVENT, (run_id, kind, str(status), attempt, actor, "", "", at))

    def start(
        self, run_id: str, token: str, pid: int, began: int | None = None
    ) -> Assignment | None:
        with self.transaction():
            lease = self.rows(sql.HELD_LEASE, (run_id, token))
            if not lease:
                return None
            (session_id, attempt, starter, started), at = lease[0], sql.now()
            if started is not None and starter == pid:
                return self.assignment(run_id)
            since = sql.at(began) if began is not None else at
            if not self.rows(sql.START, (attempt, at, since, run_id, began is not None)):
                self.end(canceled(run_id, token))
                return None
            self.rows(sql.LEASE_STARTED, (pid, since, run_id))
            self.event(run_id, "started", RunStatus.EXECUTING, attempt, session_id, since)
            return self.assignment(run_id)

    def assignment(self, run_id: str) -> Assignment:
        return sql.assignment(self.rows(sql.ASSIGNMENT, (run_id,))[0])

    # -- finish -----------------------------------------------------------------------------------

    def finish(self, ending: Ending, take: Next = Next.NONE, pid: int = 0) -> Finished:
        with self.transaction():
            lease = self.end(ending)
            if lease is None:
                return self.finished_before(ending, take, pid)
            bucket, queue, session_id = lease
            if take and not self.rows(f"{sql.LIVE} AND NOT draining", (session_id,)):
                take = Next.NONE
            claim = None
            if take == Next.SAME and self.rows(sql.MAY_INHERIT, (queue, bucket)):
                claim = self.take(bucket, queue, session_id, start=True, pid=pid)
            if claim is None:
                self.rows(sql.QUEUE_ROOM, (queue,))
                self.rows(sql.BUCKET_ROOM, (bucket,))
            if claim is None and take:
                claim = self.claim_one(session_id, start=True, pid=pid)
            return Finished(True, None if claim is None else self.assignment(claim.run_id))

    def finished_before(self, ending: Ending, take: Next, pid: int) -> Finished:
        """The lease is gone: taken back, or given up by an earlier try of the same write."""
        if not self.rows(sql.HAS_WON, (ending.run_id, ending.token)):
            return Finished(False)
        inherited = self.rows(sql.INHERITED, (ending.run_id, pid)) if take else []
        return Finished(True, self.assignment(inherited[0][0]) if inherited else None)

    def end(self, ending: Ending) -> tuple[int, int, str] | None:
        """See `trackside_end`."""
        lease = self.rows(sql.GIVE_UP_LEASE, (ending.run_id, ending.token))
        if not lease:
            return None
        bucket, queue, session_id, attempt, pid, started = lease[0]
        at, due, retry = sql.now(), sql.due_at(ending.delay), ending.is_retry
        status, sort_key = self.rows(sql.END, sql.end_params(ending, started, at, due))[0]
        attempt_status, kind = ending.attempt_status.value, ending.kind.value
        if status == RunStatus.CANCELED:
            attempt_status, kind, retry = AttemptStatus.CANCELED.value, "canceled", False
        if ending.hooked and status == ending.status:
            self.rows(sql.FORGET_HOOKS, (ending.run_id,))
        retry_at = (due or at) if retry else None
        if started is not None:
            facts = (session_id, pid, sql.plain(started), at, ending.error, retry_at)
            self.rows(sql.ATTEMPT, (ending.run_id, attempt, attempt_status, *facts))
        data = f'{{"delay" : {ending.delay}}}' if retry and due else ""
        actor = f"session:{session_id}"
        self.rows(sql.EVENT, (ending.run_id, kind, status, attempt, actor, ending.reason, data, at))
        if status == RunStatus.QUEUED:
            self.rows(sql.READY, (ending.run_id, bucket, sort_key, due))
        elif status in UNSUCCESSFUL:
            self.rows(sql.FREE_KEY, (ending.run_id,))
        return bucket, queue, session_id

"""SQLite: the same steps as `runs/sql/postgresql`, inside one gated transaction each.

Writers are serial here, so nothing needs a row lock and a count is exact as it is.
"""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from runs.fingerprints import EXPIRED
from runs.lifecycle.store import heads, weighing, yielding
from runs.lifecycle.store import statements as sql
from runs.lifecycle.store.base import (
    Assignment,
    Claim,
    Finished,
    Next,
    Rows,
    SessionLost,
)
from runs.lifecycle.store.endings import Ending, canceled
from runs.lifecycle.store.weighing import Code, Weighing
from runs.rates import Pace
from runs.states import UNSUCCESSFUL, AttemptStatus, RunStatus

#: Runs one claim puts back or expires before it lets go of the database.
MOST_REFUSED = 100


class SqliteStore(Weighing):
    """Over any connection of the `runs.sqlite` (or Django's own) backend."""

    # -- claim and start --------------------------------------------------------------------------

    def claim(self, session_id: str, slots: int) -> list[Claim]:
        code, weighs = self.claiming(session_id)
        if not weighs and not self.open_bucket(code):
            return []
        claims: list[Claim] = []
        with self.transaction():
            code = self.code(session_id)
            claim_next = self.claim_weighed if weighs else self.claim_unweighed
            while len(claims) < slots and (claim := claim_next(session_id, code)):
                claims.append(claim)
            if weighs:
                self.rows(weighing.UNWEIGH, (session_id,))
        return claims

    def claim_unweighed(self, session_id: str, code: Code) -> Claim | None:
        return self.claim_one(session_id, code, start=False, pid=0)

    def claim_weighed(self, session_id: str, code: Code) -> Claim | None:
        fitting = self.fitting(session_id, code)
        if not fitting.lanes:
            return None
        claim = self.claim_unweighed(session_id, code._replace(lanes=fitting.lanes))
        if claim is not None:
            self.rows(weighing.WEIGHED, (fitting.wanted, claim.run_id, session_id))
        return claim

    def code(self, session_id: str) -> Code:
        """What a living session executes runs with. Raises SessionLost."""
        found = self.rows(sql.LIVE, (session_id,))
        if not found:
            raise SessionLost(session_id)
        return Code(found[0][0], found[0][1], self.lanes)

    def claimable(self) -> bool:
        return bool(self.open_bucket(Code(self.version, "", self.lanes)))

    def open_bucket(self, code: Code) -> Rows:
        """The least recently served bucket with a run for us."""
        ours = (code.version,)
        found = self.rows(heads.open_bucket(code.lanes), ours)
        return found or self.rows(heads.back_bucket(code.lanes), ours)

    def head(self, bucket: int, code: Code, *, resumed: bool) -> Rows:
        """Take the first of a bucket's runs for us out of it: run id and pin."""
        if resumed:
            return self.rows(heads.head_resumed(code.lanes), (bucket, code.version))
        firsts = (bucket, "", bucket, code.version)
        return self.rows(heads.head(code.lanes), firsts * len(code.lanes))

    def claim_one(self, session_id: str, code: Code, *, start: bool, pid: int) -> Claim | None:
        """See `trackside_claim_one`."""
        passed = set()
        while found := self.open_bucket(code):
            bucket, queue, limit, total, *rate = found[0]
            if bucket in passed:
                return None
            if total is not None and self.held("queue_id", queue) >= total:
                self.rows(sql.QUEUE_FULL, (queue,))
                continue
            held = 0 if limit is None else self.held("bucket_id", bucket)
            if limit is not None and held >= limit:
                self.rows(sql.BUCKET_FULL, (bucket,))
                continue
            facts: dict[str, Any] = {"session_id": session_id, "start": start, "pid": pid}
            claim = self.take_within(rate, bucket, queue, code=code, **facts)
            if claim is not None:
                full = limit is not None and held + 1 >= limit
                self.rows(sql.SERVED, (sql.microseconds(), full, bucket))
                return claim
            passed.add(bucket)
            self.rows(sql.PASSED, (sql.microseconds(), bucket))
        return None

    def take_within(
        self, rate: Sequence[Any], bucket: int, queue: int, **facts: Any
    ) -> Claim | None:
        """The head of a bucket, as far as its rate allows; else it is closed until that does."""
        interval, burst, arrival = rate
        if interval is None:
            return self.take(bucket, queue, **facts)
        claim = self.take(bucket, queue, resumed=True, **facts)
        if claim is not None:
            return claim
        pace, now = Pace(interval, burst), sql.microseconds()
        opens_at = pace.opens(arrival, now)
        if opens_at > now:
            self.rows(sql.BUCKET_CLOSED, (pace.bounded(arrival, now), opens_at, bucket))
            return None
        asked = yielding.question(bucket, self.lanes, now - opens_at)
        if asked is not None and self.rows(yielding.CAME_FIRST, asked):
            return None
        claim = self.take(bucket, queue, **facts)
        if claim is not None:
            self.rows(sql.ARRIVAL, (pace.after(arrival, sql.microseconds()), bucket))
        return claim

    def held(self, column: str, value: int) -> int:
        count = f"SELECT count(*) FROM runs_lease WHERE {column} = %s"
        return int(self.rows(count, (value,))[0][0])

    def take(
        self,
        bucket: int,
        queue: int,
        session_id: str,
        code: Code,
        *,
        start: bool,
        pid: int,
        resumed: bool = False,
    ) -> Claim | None:
        """See `trackside_take`."""
        for _ in range(MOST_REFUSED):
            found = self.head(bucket, code, resumed=resumed)
            if not found:
                break
            (run_id, pin), at = found[0], sql.now()
            status = RunStatus.EXECUTING if start else RunStatus.DEQUEUED
            fits = (start, code.version, run_id, code.version, code.version, code.lacking)
            taken = self.rows(sql.TAKE, (status.value, int(start), at, start, at, at, *fits, at))
            if not taken:
                self.refuse(run_id, bucket, pinned=bool(pin))
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

    def refuse(self, run_id: str, bucket: int, *, pinned: bool) -> None:
        """See `trackside_refuse`."""
        self.expire(run_id)
        due = timezone.now() + timedelta(seconds=1.0 if pinned else 0.0)
        self.rows(sql.PUT_BACK, (bucket, sql.stamp(due), run_id))

    def expire(self, run_id: str) -> None:
        at = sql.now()
        if found := self.rows(sql.EXPIRE, (at, at, run_id, at)):
            self.rows(sql.FAILURE, sql.failure(run_id, 0, EXPIRED, found[0], at))
            self.rows(sql.FREE_KEY, (run_id,))
            self.rows(sql.EVENT, (run_id, "expired", "EXPIRED", 0, "system", "", "", at))

    def event(
        self, run_id: str, kind: str, status: str, attempt: int, session_id: str, at: str
    ) -> None:
        actor = f"session:{session_id}"
        self.rows(sql.EVENT, (run_id, kind, str(status), attempt, actor, "", "", at))

    def assigned(self, run_id: str, token: str) -> Assignment | None:
        found = [sql.assignment(row) for row in self.rows(sql.ASSIGNMENT, (run_id,))]
        return found[0] if found and found[0].token == token else None

    def start(
        self, run_id: str, token: str, pid: int, began: int | None = None
    ) -> Assignment | None:
        with self.transaction():
            lease = self.rows(sql.HELD_LEASE, (run_id, token))
            if not lease:
                return None
            (session_id, attempt, starter, started), at = lease[0], sql.now()
            if started is not None and (starter == pid or began is not None):
                return self.assignment(run_id)
            since = sql.at(began) if began is not None else at
            if not self.rows(
                sql.START, (attempt, at, since, self.version, run_id, began is not None)
            ):
                gone = self.end(canceled(run_id, token))
                if gone is not None:
                    self.release(*gone[:2])
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
            code = self.taking(session_id) if take else None
            return Finished(True, self.go_on(bucket, queue, session_id, code, take, pid))

    def go_on(
        self, bucket: int, queue: int, session_id: str, code: Code | None, take: Next, pid: int
    ) -> Assignment | None:
        """See `trackside_next`."""
        claim = None
        if code and take == Next.SAME and self.rows(sql.MAY_INHERIT, (queue, bucket)):
            claim = self.take(bucket, queue, session_id, code, start=True, pid=pid)
        if claim is None:
            self.release(bucket, queue)
        if claim is None and code:
            claim = self.claim_one(session_id, code, start=True, pid=pid)
        return None if claim is None else self.assignment(claim.run_id)

    def release(self, bucket: int, queue: int) -> None:
        """See `trackside_release`."""
        self.rows(sql.QUEUE_ROOM, (queue,))
        self.rows(sql.BUCKET_ROOM, (bucket,))

    def taking(self, session_id: str) -> Code | None:
        """See `trackside_code_of`."""
        found = self.rows(sql.MAY_TAKE, (session_id, self.version))
        return Code(found[0][0], found[0][1], self.lanes) if found else None

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
        params = sql.end_params(ending, started, at, due)
        status, sort_key, lane, *whose = self.rows(sql.END, params)[0]
        attempt_status, kind = ending.attempt_status.value, ending.kind.value
        if status == RunStatus.CANCELED:
            attempt_status, kind, retry = AttemptStatus.CANCELED.value, "canceled", False
        if ending.hooked and status == ending.status:
            self.rows(sql.FORGET_HOOKS, (ending.run_id,))
        retry_at = (due or at) if retry else None
        if started is not None:
            facts = (session_id, pid, sql.plain(started), at, ending.error, retry_at)
            self.rows(sql.ATTEMPT, (ending.run_id, attempt, attempt_status, *facts))
        if status != RunStatus.CANCELED and (mark := ending.mark):
            self.rows(sql.FAILURE, sql.failure(ending.run_id, attempt, mark, whose, at, not retry))
        data = f'{{"delay" : {ending.delay}}}' if retry and due else ""
        actor = f"session:{session_id}"
        self.rows(sql.EVENT, (ending.run_id, kind, status, attempt, actor, ending.reason, data, at))
        if status == RunStatus.QUEUED:
            self.rows(sql.READY, (ending.run_id, bucket, sort_key, due, lane))
        elif status in UNSUCCESSFUL:
            self.rows(sql.FREE_KEY, (ending.run_id,))
        return bucket, queue, session_id

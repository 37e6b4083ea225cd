"""Waiting and remembering on SQLite: the steps of `runs/sql/postgresql/wait.sql` in one transaction.

The wake-ups are triggers (`runs/sql/sqlite/wait.sql`).
"""

from collections.abc import Sequence
from typing import Any

from runs.journal import Entry, Pause
from runs.lifecycle.store import statements as sql
from runs.lifecycle.store.base import Next, Suspended
from runs.lifecycle.store.endings import canceled
from runs.lifecycle.store.memory import Recollection, told_of
from runs.lifecycle.store.sqlite_turns import TurningSqliteStore
from runs.models import NEVER

#: Ids in one statement.
CHUNK = 500


class WaitingSqliteStore(TurningSqliteStore, Recollection):
    """All the verbs."""

    def suspend(
        self,
        run_id: str,
        token: str,
        pause: Pause,
        take: Next = Next.NONE,
        pid: int = 0,
        began: int | None = None,
    ) -> Suspended:
        with self.transaction():
            if began is not None:
                self.start(run_id, token, pid, began)
            lease = self.rows(sql.WHOLE_LEASE, (run_id, token))
            if not lease:
                won = self.rows(sql.HAS_WON, (run_id, token))
                return Suspended("waiting" if won else "lost")
            bucket, queue, session_id, attempt, started = lease[0]
            self.settle(run_id, pause)
            at, open_targets = sql.now(), self.held_targets(pause.targets)
            if pause.unborn is None and is_over(pause, open_targets, at):
                self.count_segment(run_id, attempt, started, at)
                self.rows(sql.NEXT_SEGMENT, (at, run_id))
                return Suspended("ready")
            outcome = "waiting"
            if self.rows(sql.IS_CANCELING, (run_id,)):
                outcome = "canceled"
                self.end(canceled(run_id, token))
            else:
                self.count_segment(run_id, attempt, started, at)
                self.leave(run_id, token, pause, bucket, open_targets, at)
                facts = ("waiting", "WAITING", attempt, f"session:{session_id}", pause.reason)
                self.rows(sql.EVENT, (run_id, *facts, told_of(token), at))
            self.release(bucket, queue)
            code = self.taking(session_id) if take else None
            if code is None:
                return Suspended(outcome)
            claim = self.claim_one(session_id, code, start=True, pid=pid)
            return Suspended(outcome, None if claim is None else self.assignment(claim.run_id))

    def settle(self, run_id: str, pause: Pause) -> None:
        """Record the entries and make the runs that come with a wait; a run that is to stop makes none."""
        if pause.unborn is None:
            self.remember(run_id, pause.entries)
        elif not self.rows(sql.IS_CANCELING, (run_id,)):
            self.remember(run_id, pause.entries)
            self.insert(*pause.unborn[1:])

    def held_targets(self, ids: Sequence[str]) -> list[str]:
        """Those that have not ended, marked as awaited."""
        found: list[str] = []
        for start in range(0, len(ids), CHUNK):
            some = ids[start : start + CHUNK]
            places = ", ".join(["%s"] * len(some))
            self.rows(sql.AWAIT.format(places=places), some)
            found += [
                row[0] for row in self.rows(sql.STILL_OPEN.format(places=places), [*some] * 2)
            ]
        return found

    def count_segment(self, run_id: str, attempt: int, started: Any, at: str) -> None:
        facts = {"run_id": run_id, "attempt": attempt, "started": sql.plain(started), "at": at}
        self.rows(sql.COUNT_SEGMENT, facts)

    def leave(
        self, run_id: str, token: str, pause: Pause, bucket: int, targets: list[str], at: str
    ) -> None:
        """Lease out, run WAITING, its place kept, its waiters in."""
        self.rows(sql.GIVE_UP_LEASE, (run_id, token))
        sort_key, lane = self.rows(sql.WAIT, (pause.reason, token, at, run_id))[0]
        due = sql.stamp(pause.due or NEVER)
        self.rows(sql.READY_WAITING, (run_id, sort_key, due, lane, bucket))
        self.many(sql.WAITER, [(target, run_id, pause.one_suffices) for target in targets])

    def remember(self, run_id: str, entries: Sequence[Entry]) -> None:
        if entries:
            rows = [entry.row(run_id) for entry in entries]
            names, places = ", ".join(rows[0]), ", ".join(["%s"] * len(rows[0]))
            statement = f"INSERT OR IGNORE INTO runs_journal ({names}) VALUES ({places})"
            self.many(statement, [tuple(map(sql.plain, row.values())) for row in rows])

    def record(
        self,
        run_id: str,
        token: str,
        entries: Sequence[Entry],
        pid: int = 0,
        began: int | None = None,
    ) -> bool:
        with self.transaction():
            if began is not None:
                self.start(run_id, token, pid, began)
            if not self.rows(sql.WHOLE_LEASE, (run_id, token)):
                return False
            self.remember(run_id, entries)
            return True

    def wake(self, token_id: str) -> None:
        self.rows("DELETE FROM runs_waiter WHERE target = %s", (token_id,))

    def resume(self, run_ids: Sequence[str]) -> None:
        self.many(sql.RESUME, [(run_id,) for run_id in run_ids])


def is_over(pause: Pause, open_targets: Sequence[str], at: str) -> bool:
    """Whether what a run is about to wait for is there already."""
    if pause.due is not None and sql.stamp(pause.due) <= at:
        return True
    if pause.one_suffices and len(open_targets) < len(set(pause.targets)):
        return True
    return pause.due is None and not open_targets

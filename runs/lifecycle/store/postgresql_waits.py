"""Waiting and remembering on PostgreSQL: see `runs/sql/postgresql/wait.sql`."""

import json
from collections.abc import Sequence

from runs.journal import Entry, Pause
from runs.lifecycle.store.base import Assignment, Next, Suspended
from runs.lifecycle.store.memory import Recollection

#: Moments as PostgreSQL reads them.
document = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
SUSPEND = "SELECT outcome, (work).* FROM trackside_suspend(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


class PostgresWaits(Recollection):
    """One server-side function for each verb."""

    def suspend(
        self, run_id: str, token: str, pause: Pause, take: Next = Next.NONE, pid: int = 0
    ) -> Suspended:
        entries = document([entry.row(run_id) for entry in pause.entries])
        due = None if pause.due is None else pause.due.timestamp()
        facts = (pause.reason, due, pause.one_suffices, json.dumps(pause.targets), entries)
        found = self.rows(SUSPEND, (run_id, token, *facts, int(take), pid, self.version))
        outcome, *work = found[0]
        return Suspended(outcome, Assignment(*work) if work[0] is not None else None)

    def record(self, run_id: str, token: str, entries: Sequence[Entry]) -> bool:
        rows = document([entry.row(run_id) for entry in entries])
        return bool(self.rows("SELECT trackside_record(%s, %s, %s)", (run_id, token, rows))[0][0])

    def wake(self, token_id: str) -> None:
        self.rows("SELECT trackside_wake(%s)", (token_id,))

    def resume(self, run_ids: Sequence[str]) -> None:
        self.rows("SELECT trackside_resume(id) FROM unnest(%s::text[]) AS id", (list(run_ids),))

"""What a run remembers, and how what it waits for stands: reads that are the same on both databases."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from runs.journal import Entry, Remembered, Target
from runs.lifecycle.store.base import Rows, Store
from runs.states import EntryKind, EntryStatus

ENTRIES = f"SELECT {', '.join(Entry._fields)} FROM runs_journal WHERE run_id = %s ORDER BY attempt, position"
USED = "SELECT attempt_ms FROM runs_run WHERE id = %s AND waited_attempt = %s"
#: The waits an attempt left for, as they were told, and what its run triggered under any lease.
CHILDREN = """
SELECT data, '', '', id FROM runs_event WHERE run_id = %s AND kind = 'waiting' AND attempt = %s
UNION ALL
SELECT parent_token, id, task_id, 0 FROM runs_run WHERE parent_id = %s AND parent_token IS NOT NULL
"""
MOVE = "UPDATE runs_lease SET pid = %s WHERE run_id = %s AND token = %s RETURNING run_id"
LEFT_LAST = "SELECT 1 FROM runs_run WHERE id = %s AND done_token = %s"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
TARGETS = """
SELECT id, status, output, error, task_id, finished_at, reason FROM runs_run WHERE id IN ({places})
UNION ALL
SELECT id, status, output, NULL, '', completed_at, '' FROM runs_waitpoint WHERE id IN ({places})
"""
#: Ids in one statement.
CHUNK = 1000
HAS_SHARED = "SELECT 1 FROM runs_ready WHERE lane = 1 AND not_before IS NULL LIMIT 1"


class Recollection(Store):
    """The reads of `Store` that need no more than `rows`."""

    @abstractmethod
    def rows(self, statement: str, params: Sequence[Any] = ()) -> Rows:
        """Every row a statement answers with."""

    def has_shared(self) -> bool:
        return bool(self.rows(HAS_SHARED))

    def remembered(self, run_id: str) -> Remembered:
        entries = [entry(row) for row in self.rows(ENTRIES, (run_id,))]
        found = self.targets({one.target for one in entries if one.target is not None})
        return Remembered(entries, found)

    def recall(self, run_id: str, token: str, targets: Collection[str]) -> dict[str, Target] | None:
        return self.targets(targets) if self.rows(LEFT_LAST, (run_id, token)) else None

    def move(self, run_id: str, token: str, pid: int) -> None:
        self.rows(MOVE, (pid, run_id, token))

    def children(self, run_id: str, attempt: int, token: str) -> list[tuple[str, str]]:
        """In one pass over both: a join would have SQLite look through the waits for each run.

        What a body did that had lost its lease has no place, whenever it did so and whatever its number.
        """
        rows = self.rows(CHILDREN, (run_id, attempt, run_id))
        places = {data: place for data, child, _, place in rows if not child}
        places.setdefault(told_of(token), max(places.values(), default=0) + 1)
        named = [(told_of(by), child, task_id) for by, child, task_id, _ in rows if child]
        found = sorted((places[by], child, task_id) for by, child, task_id in named if by in places)
        return [(child, task_id) for _, child, task_id in found]

    def used(self, run_id: str, attempt: int) -> float:
        milliseconds = sum(int(row[0]) for row in self.rows(USED, (run_id, attempt)))
        return milliseconds / 1000

    def targets(self, ids: Collection[str]) -> dict[str, Target]:
        wanted, found = sorted(set(ids)), {}
        for start in range(0, len(wanted), CHUNK):
            some = wanted[start : start + CHUNK]
            statement = TARGETS.format(places=", ".join(["%s"] * len(some)))
            for row in self.rows(statement, [*some, *some]):
                run_id, status, output, error, task_id, ended_at, reason = row
                facts = (status, output, error, task_id, aware(ended_at), reason)
                found[run_id] = Target(run_id, *facts)
        return found


def told_of(token: str) -> str:
    """What the event of a wait says of the lease that ended with it."""
    return f'{{"token": "{token}"}}'


def entry(row: Sequence[Any]) -> Entry:
    """A row of ENTRIES."""
    made = Entry(*row)
    return made._replace(
        kind=EntryKind(made.kind),
        status=EntryStatus(made.status),
        started_at=aware(made.started_at) or LONG_AGO,
        due_at=aware(made.due_at),
        finished_at=aware(made.finished_at),
    )


def aware(moment: Any) -> datetime | None:
    """A moment of either driver: SQLite's hands it over naive, or in a UNION as text."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment is not None and moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)  # type: ignore[no-any-return]
    return moment  # type: ignore[no-any-return]

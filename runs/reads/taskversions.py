"""How the versions of the code did with a task, by its newest runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from django.db import connection

from runs.reads.windows import moment_of
from runs.states import UNSUCCESSFUL, RunStatus

#: Newest runs that are looked at.
LOOKED_AT = 5000
#: So much more of the runs of a version fail that it broke something.
CLEARLY = 0.2
_BAD = ", ".join(f"'{status}'" for status in sorted(UNSUCCESSFUL))
#: One line of each version: thousands would take longer to come here than to be read.
VERSIONS = f"""
SELECT version, MIN(id), MAX(id), COUNT(*),
       COUNT(CASE WHEN status = '{RunStatus.COMPLETED}' THEN 1 END),
       COUNT(CASE WHEN status IN ({_BAD}) THEN 1 END),
       COALESCE(MIN(CASE WHEN status IN ({_BAD}) THEN id END), ''),
       COALESCE(MAX(CASE WHEN status = '{RunStatus.COMPLETED}' THEN id END), '')
  FROM (SELECT id, version, status FROM runs_run WHERE task_id = %s ORDER BY id DESC LIMIT {LOOKED_AT}) AS newest
 WHERE version <> '' GROUP BY version ORDER BY MAX(id) DESC
"""  # noqa: S608


@dataclass(slots=True)
class VersionOfTask:
    """A version, with what it did among the runs that were looked at."""

    name: str
    first_id: str
    last_id: str
    runs: int
    completed: int
    failed: int
    #: The oldest of those that failed, and the newest that completed; empty for none.
    first_bad: str
    last_good: str

    @property
    def since(self) -> datetime:
        return moment_of(self.first_id)

    @property
    def failure_rate(self) -> float | None:
        ended = self.completed + self.failed
        return self.failed / ended if ended else None


def versions_of(task_id: str) -> list[VersionOfTask]:
    """The newest first."""
    with connection.cursor() as cursor:
        cursor.execute(VERSIONS, [task_id])
        return [VersionOfTask(*row) for row in cursor.fetchall()]


def broke(versions: Iterable[VersionOfTask]) -> tuple[VersionOfTask, VersionOfTask] | None:
    """The last version that was good and the next, where that is clearly worse (first bad, last good)."""
    for newer, older in pairwise(versions):
        now, before = newer.failure_rate, older.failure_rate
        if now is not None and before is not None and now - before >= CLEARLY:
            return newer, older
    return None

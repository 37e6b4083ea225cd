"""How the versions of the code did with a task, by its newest runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from runs.models import Run
from runs.reads.windows import moment_of
from runs.states import UNSUCCESSFUL, RunStatus

#: Newest runs that are looked at.
LOOKED_AT = 5000
#: So much more of the runs of a version fail that it broke something.
CLEARLY = 0.2


@dataclass(slots=True)
class VersionOfTask:
    """A version, with what it did among the runs that were looked at."""

    name: str
    first_id: str
    last_id: str
    runs: int = 0
    completed: int = 0
    failed: int = 0
    first_bad: str = ""
    last_good: str = ""

    @property
    def since(self) -> datetime:
        return moment_of(self.first_id)

    @property
    def failure_rate(self) -> float | None:
        ended = self.completed + self.failed
        return self.failed / ended if ended else None


def versions_of(task_id: str) -> list[VersionOfTask]:
    """The newest first."""
    rows = Run.objects.filter(task_id=task_id).order_by("-id")
    newest = rows.values_list("id", "version", "status")[:LOOKED_AT]
    found: dict[str, VersionOfTask] = {}
    for run_id, version, status in newest:
        if version:
            one = found.setdefault(version, VersionOfTask(version, run_id, run_id))
            _count(one, run_id, status)
    return sorted(found.values(), key=lambda one: one.last_id, reverse=True)


def _count(one: VersionOfTask, run_id: str, status: str) -> None:
    """From the newest to the oldest: the first good is the last, the last bad is the first."""
    one.first_id = run_id
    one.runs += 1
    if status == RunStatus.COMPLETED:
        one.completed += 1
        one.last_good = one.last_good or run_id
    elif status in UNSUCCESSFUL:
        one.failed += 1
        one.first_bad = run_id


def broke(versions: Iterable[VersionOfTask]) -> tuple[VersionOfTask, VersionOfTask] | None:
    """The last version that was good and the next, where that is clearly worse (first bad, last good)."""
    for newer, older in pairwise(versions):
        now, before = newer.failure_rate, older.failure_rate
        if now is not None and before is not None and now - before >= CLEARLY:
            return newer, older
    return None

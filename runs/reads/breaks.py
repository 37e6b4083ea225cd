"""When it broke: the last run that was good, the first that was not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from django.db import connection
from django.db.models import QuerySet

from runs.models import ErrorGroup, Run
from runs.states import UNSUCCESSFUL, RunStatus

#: Runs of a task that are looked through for one that succeeded.
LOOKED_AT = 2000
#: Tasks that are looked at, and the newest runs of each.
TASKS, STREAK = 20, 200
#: How runs end by themselves.
ENDED = {*UNSUCCESSFUL, RunStatus.COMPLETED}
#: Of one task, by its index.
NEWEST = (
    "SELECT * FROM (SELECT task_id, id, status FROM runs_run WHERE task_id = %s"  # noqa: S608
    f" ORDER BY id DESC LIMIT {STREAK}) p{{place}}"
)
COLUMNS = ("id", "status", "version", "created_at", "finished_at")


@dataclass(frozen=True, slots=True)
class Break:
    """The first failure by an error, the last success before it, and the newest success of the task."""

    first_bad: Run | None
    last_good: Run | None
    newest_good: Run | None

    @property
    def changed_version(self) -> bool:
        """Whether the code changed between the two."""
        bad, good = self.first_bad, self.last_good
        return bad is not None and good is not None and bad.version != good.version


def around(group: ErrorGroup) -> tuple[str, str, str]:
    """Ids of the first failure, the last success before it and the newest success; empty for none.

    Bounded: a success long ago is not found.
    """
    runs = Run.objects.filter(task_id=group.task_id)
    before = successes(runs.filter(pk__lt=group.first_run_id), 1)
    newest = successes(runs, 1)
    return group.first_run_id, *("".join(found) for found in (before, newest))


def of(ids: tuple[str, str, str], runs: Mapping[str, Run]) -> Break:
    """What `around` found, among runs that were read."""
    return Break(*map(runs.get, ids))


def newest_success(runs: QuerySet[Run]) -> Run | None:
    """Among the newest LOOKED_AT of these runs of one task."""
    found = successes(runs, 1)
    return Run.objects.light().filter(pk=found[0]).first() if found else None


def successes(runs: QuerySet[Run], wanted: int) -> list[str]:
    """Ids of those of the newest LOOKED_AT that succeeded, the newest first, so many at most.

    Picked here and not by the database, which for a rare status would walk through other indexes.
    """
    newest = runs.order_by("-id").values_list("id", "status")
    found: list[str] = []
    for most in (max(wanted * 2, 100), LOOKED_AT):
        rows = list(newest[:most])
        found = [run_id for run_id, status in rows if status == RunStatus.COMPLETED][:wanted]
        if len(found) == wanted or len(rows) < most:
            break
    return found


@dataclass(frozen=True, slots=True)
class Broken:
    """A task whose newest runs all failed: since which, and what was the last good one before."""

    task_id: str
    first_bad: Run
    #: None where none of the newest STREAK runs succeeded: it failed longer than is looked.
    last_good: Run | None
    failures: int
    last_bad: Run

    @property
    def changed_version(self) -> bool:
        return self.last_good is not None and self.last_good.version != self.first_bad.version


def broken(since: datetime) -> list[Broken]:
    """Of the tasks that failed last, those that only fail now; three bounded statements."""
    ends = _newest_ends(_failing(since))
    streaks = {task_id: _streak(rows) for task_id, rows in ends.items()}
    ids = {run_id for streak in streaks.values() if streak for run_id in streak[:3] if run_id}
    runs = Run.objects.only(*COLUMNS).in_bulk(ids)
    return [
        Broken(task_id, runs[first], runs.get(good), count, runs[last])
        for task_id, streak in streaks.items()
        if streak
        for first, good, last, count in [streak]
        if first in runs and last in runs
    ]


def _newest_ends(tasks: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """(id, status) of the newest STREAK runs of each, those that ended by themselves."""
    found: dict[str, list[tuple[str, str]]] = {task_id: [] for task_id in tasks}
    if not tasks:
        return found
    parts = " UNION ALL ".join(NEWEST.format(place=place) for place in range(len(tasks)))
    with connection.cursor() as cursor:
        cursor.execute(parts, list(tasks))
        for task_id, run_id, status in cursor.fetchall():
            if status in ENDED:
                found[task_id].append((run_id, status))
    return {task_id: sorted(rows, reverse=True) for task_id, rows in found.items()}


def _streak(rows: Sequence[tuple[str, str]]) -> tuple[str, str, str, int] | None:
    """First bad, last good before it, last bad, how many; None where the newest succeeded or none is there.

    Without a good one it failed longer than is looked.
    """
    bad = list(takewhile(lambda row: row[1] != RunStatus.COMPLETED, rows))
    if not bad:
        return None
    good = rows[len(bad)][0] if len(bad) < len(rows) else ""
    return bad[-1][0], good, bad[0][0], len(bad)


def _failing(since: datetime) -> list[str]:
    """Tasks with runs that ended by an error since then, those that failed last first."""
    groups = ErrorGroup.objects.filter(last_at__gte=since, ended__gt=0).order_by("-last_at")
    tasks = groups.values_list("task_id", flat=True)[: TASKS * 5]
    return list(dict.fromkeys(task for task in tasks if task))[:TASKS]

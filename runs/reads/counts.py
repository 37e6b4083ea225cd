"""Counts that stop: no exact number is worth a slow page."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet

from runs.models import Run
from runs.reads.windows import floor_id
from runs.states import LEASED, PENDING, UNSUCCESSFUL, RunStatus

CAP = 10_000
WIDE_CAP = 20_000


@dataclass(frozen=True, slots=True)
class Capped:
    """A count that gave up at its cap."""

    value: int
    cap: int = CAP

    def __str__(self) -> str:
        return f"{self.cap:,}+" if self.value > self.cap else f"{self.value:,}"

    def __bool__(self) -> bool:
        return self.value > 0


@dataclass(frozen=True, slots=True)
class Tiles:
    """The four numbers on top of the overview."""

    running: Capped
    queued: Capped
    failed: Capped
    oldest_queued: Run | None


def capped(rows: QuerySet[Any], cap: int = CAP) -> Capped:
    """How many `rows` there are, counting to `cap` at most."""
    return Capped(rows.order_by().values("pk")[: cap + 1].count(), cap)


def tiles(now: datetime, known: dict[str, tuple[int, int]] | None = None) -> Tiles:
    """Running, queued, failed in the last hour, longest in its queue.

    `known` are running and not started runs by task, where all of them are.
    """
    queued = Run.objects.filter(status=RunStatus.QUEUED)
    running = capped(Run.objects.filter(status__in=LEASED)) if known is None else None
    return Tiles(
        running=running or Capped(sum(held for held, _ in (known or {}).values())),
        queued=capped(queued),
        # from a round moment: else the number would fall at any time, without anything happening
        failed=capped(failed_since(_round(now) - timedelta(hours=1))),
        oldest_queued=queued.light().order_by("id").first(),
    )


def _round(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 2 * 2, second=0, microsecond=0)


def failed_since(moment: datetime) -> QuerySet[Run]:
    """Runs of the day before `moment` or later that ended without success since then."""
    return Run.objects.filter(
        status__in=UNSUCCESSFUL,
        finished_at__gte=moment,
        id__gte=floor_id("run", moment - timedelta(days=1)),
    )


def by_status(runs: QuerySet[Run]) -> dict[str, int]:
    """Counts per status over the newest WIDE_CAP of `runs`."""
    newest = runs.order_by("-id").only("id", "status")[:WIDE_CAP]
    # one pass over a slice; grouping the rows whose ids are in it would read the whole table
    each = {status: Count("id", filter=Q(status=status)) for status in RunStatus.values}
    return {status: count for status, count in newest.aggregate(**each).items() if count}


def live_by_task() -> tuple[dict[str, tuple[int, int]], bool]:
    """Running and queued runs of each task, and whether the count stopped at WIDE_CAP."""
    counts: dict[str, tuple[int, int]] = {}
    total = 0
    with connection.cursor() as cursor:
        cursor.execute(LIVE)
        rows: list[tuple[str, str, int]] = cursor.fetchall()
    for task_id, status, count in rows:
        running, queued = counts.get(task_id, (0, 0))
        held = status in LEASED
        counts[task_id] = (running + count * held, queued + count * (not held))
        total += count
    return counts, total >= WIDE_CAP


def _standing(status: str) -> str:
    """The oldest runs that stand so, by the index: with several statuses at once neither database uses it."""
    return (
        f"SELECT * FROM (SELECT task_id, status FROM runs_run WHERE status = '{status}'"  # noqa: S608
        f" ORDER BY id LIMIT {WIDE_CAP}) AS {status.lower()}"
    )


#: What holds a slot first: of a very long backlog a part is counted.
LIVE = (
    "SELECT task_id, status, COUNT(*) FROM ("  # noqa: S608
    + " UNION ALL ".join(map(_standing, (*sorted(LEASED), *sorted(PENDING))))
    + f" LIMIT {WIDE_CAP}) AS live GROUP BY task_id, status"
)

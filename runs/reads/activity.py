"""What each task did in the last day, hour by hour."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import CharField, Count, OuterRef, Subquery
from django.db.models.functions import Cast, Substr

from runs.models import Run, Task
from runs.reads.windows import floor_id
from runs.states import UNSUCCESSFUL, RunStatus

HOURS = 24


@dataclass(slots=True)
class Hour:
    """Runs triggered in one hour, by how they stand now."""

    start: datetime
    completed: int = 0
    failed: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        return self.completed + self.failed + self.other

    def add(self, status: str, count: int) -> None:
        self.completed += count * (status == RunStatus.COMPLETED)
        self.failed += count * (status in UNSUCCESSFUL)
        self.other += count * (status != RunStatus.COMPLETED and status not in UNSUCCESSFUL)


@dataclass(slots=True)
class Activity:
    """A task's last day."""

    hours: list[Hour] = field(default_factory=list)

    @property
    def peak(self) -> int:
        return max((hour.total for hour in self.hours), default=0)

    @property
    def failed(self) -> int:
        return sum(hour.failed for hour in self.hours)

    @property
    def completed(self) -> int:
        return sum(hour.completed for hour in self.hours)

    @property
    def ended(self) -> int:
        return self.failed + self.completed

    @property
    def failure_rate(self) -> float | None:
        """Failed of those that ended by themselves; None when none did."""
        return self.failed / self.ended if self.ended else None


def last_day(now: datetime) -> dict[str, Activity]:
    """Activity of every task that had a run in the last 24 hours."""
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    starts = [first + timedelta(hours=offset) for offset in range(HOURS)]
    places = {start.strftime("%Y-%m-%d %H"): index for index, start in enumerate(starts)}
    found: dict[str, Activity] = {}
    # both databases write a UTC time as "2026-01-31 14:05:..", which groups far faster than TruncHour
    hour = Substr(Cast("created_at", CharField()), 1, 13)
    rows = Run.objects.filter(id__gte=floor_id("run", first)).order_by().annotate(hour=hour)
    for task_id, text, status, count in rows.values_list("task_id", "hour", "status").annotate(
        count=Count("id")
    ):
        activity = found.setdefault(task_id, Activity([Hour(start) for start in starts]))
        if text in places:
            activity.hours[places[text]].add(status, count)
    return found


def last_runs(tasks: list[Task]) -> dict[str, Run]:
    """The newest run of each of `tasks`."""
    newest = Run.objects.filter(task_id=OuterRef("id")).order_by("-id").values("id")[:1]
    ids = Task.objects.filter(id__in=[task.id for task in tasks]).annotate(last=Subquery(newest))
    wanted = [run_id for run_id in ids.values_list("last", flat=True) if run_id]
    return {run.task_id: run for run in Run.objects.light().filter(id__in=wanted)}

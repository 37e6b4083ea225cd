"""Schedules of a registered task, made by the real verbs."""

from typing import Any

from runs import lifecycle
from runs.lifecycle import schedules
from runs.lifecycle.schedules import Timetable
from runs.models import Run, Schedule, ScheduleTick, Task
from tests.support.factories import task

ME = "user:ada"


def schedule(cron: str = "0 * * * *", *, task_id: str = "report", key: str | None = None, **facts):
    """An ad hoc schedule, of a task that is registered if it was not."""
    if not Task.objects.filter(pk=task_id).exists():
        task(task_id)
    timetable = Timetable(task_id=task_id, cron=cron, **facts)
    return schedules.create(timetable, deduplication_key=key, actor=ME)


def fire_all() -> None:
    """What a dispatcher does until nothing is due."""
    for _ in range(20):
        lifecycle.fire_due()


def account(made: Schedule) -> list[tuple[str, str]]:
    """(time, outcome) of each tick, oldest first; several missed as "outcome x count"."""
    ticks = ScheduleTick.objects.filter(schedule=made).order_by("at")
    return [(f"{one.at:%H:%M}", told(one)) for one in ticks]


def told(tick: ScheduleTick) -> str:
    return tick.outcome if tick.count == 1 else f"{tick.outcome} x {tick.count}"


def runs_of(made: Schedule) -> list[Any]:
    return list(Run.objects.filter(schedule_id=made.pk).order_by("id"))

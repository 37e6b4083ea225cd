"""Tasks by the clock, in tests."""

from datetime import datetime
from typing import Any

from engine.sdk.tasks import Task
from engine.sdk.timetables import DeclaredSchedule, ScheduledPayload
from engine.testing.problems import TracksideError
from runs import cron
from runs.lifecycle import schedules


def fires(task: Task[Any, Any] | str, after: datetime, count: int) -> list[datetime]:
    """When a task's declared schedule, or an expression in UTC, fires after a moment."""
    if isinstance(task, str):
        return cron.parse(task).upcoming(after, count)
    found = declared(task)
    return cron.parse(found.cron, found.timezone).upcoming(after, count)


def payload(
    task: Task[Any, Any], at: datetime | None, now: datetime, facts: dict[str, Any]
) -> ScheduledPayload:
    """What the fire at `at`, by default the next one, hands to the body."""
    found = task.schedule
    if found is not None and found.cron:
        at = at or fires(task, now, 1)[0]
        facts = {"timezone": found.timezone, "upcoming": fires(task, at, 5)} | facts
    return ScheduledPayload(timestamp=at or now, **facts)


def declare(task: Task[Any, Any]) -> None:
    """Store the schedule a task declares."""
    found = declared(task)
    wanted = schedules.Timetable(
        task_id=task.id,
        cron=found.cron,
        timezone=found.timezone,
        overlap=found.overlap,
        catch_up=found.catch_up,
        window=found.window,
    )
    schedules.declare({task.id: wanted}, {task.id})


def declared(task: Task[Any, Any]) -> DeclaredSchedule:
    """The schedule a task declares. Raises TracksideError."""
    if task.schedule is None or not task.schedule.cron:
        raise TracksideError(f"Task “{task.id}” declares no schedule: @task(schedule=...).")
    return task.schedule

"""The schedule book over `runs.lifecycle`: what code asks of schedules, done to the stored ones."""

from dataclasses import replace
from typing import Any

from django.db import transaction

from engine.schedulebook import Generator, Schedule, ScheduleOptions, SchedulePage
from runs.errors import NotFound
from runs.lifecycle import schedules
from runs.lifecycle.schedules import Timetable
from runs.models import Schedule as Row

NAMES = {"task": "task_id"}


class StoredSchedules:
    """Schedules in the database, in the caller's transaction if there is one."""

    def create(self, key: str, options: ScheduleOptions, actor: str) -> Schedule:
        made = schedules.create(Timetable(**_facts(options)), deduplication_key=key, actor=actor)
        return stored(made)

    def retrieve(self, schedule_id: str) -> Schedule:
        return stored(_row(schedule_id))

    def page(self, number: int, size: int) -> SchedulePage:
        rows = Row.objects.order_by("-id")
        count = rows.count()
        start = (number - 1) * size
        data = tuple(stored(row) for row in rows[start : start + size])
        return SchedulePage(data, number, -(-count // size), count)

    @transaction.atomic
    def update(self, schedule_id: str, options: ScheduleOptions, actor: str) -> Schedule:
        wanted = replace(schedules.timetable_of(_row(schedule_id)), **_facts(options))
        return stored(schedules.update(schedule_id, wanted, actor=actor))

    def activate(self, schedule_id: str, actor: str) -> Schedule:
        return stored(schedules.activate(schedule_id, actor=actor))

    def deactivate(self, schedule_id: str, actor: str) -> Schedule:
        return stored(schedules.deactivate(schedule_id, actor=actor))

    def delete(self, schedule_id: str, actor: str) -> None:
        schedules.delete(schedule_id, actor=actor)


def stored(row: Row) -> Schedule:
    return Schedule(
        id=row.pk,
        type=row.type,
        task=row.task_id,
        active=row.active,
        generator=Generator(row.cron, row.sentence),
        timezone=row.timezone,
        deduplication_key=row.deduplication_key,
        external_id=row.external_id,
        overlap=row.overlap,
        catch_up=row.catch_up,
        window=row.window,
        next_run=None if row.next_at is None else row.clock.nominal(row.next_at),
        next_run_effective_at=row.next_at,
        last_run=row.last_at,
    )


def _row(schedule_id: str) -> Row:
    row = Row.objects.filter(pk=schedule_id.replace("\x00", "")).first()
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id[:60]}.")
    return row


def _facts(options: ScheduleOptions) -> dict[str, Any]:
    return {NAMES.get(name, name): value for name, value in options.items()}

"""Schedules from code to the database: declared at registration, or made by calls."""

from datetime import timedelta

import pytest
from django.utils import timezone

from engine import catalog, runtime, schedule, schedules
from engine.discovery import BrokenFile, Catalog
from engine.sdk.tasks import define
from runs import lifecycle
from runs.errors import InvalidOption, NotFound
from runs.models import AuditLog, Run, Schedule, Task

pytestmark = pytest.mark.django_db


def defined(task_id="report", **options):
    return define(lambda payload: None, id=task_id, **options)


def register(*tasks, broken=()):
    return catalog.register(Catalog(tasks, broken, "v1"))


def test_registration_brings_schedules_in_line_with_the_code():
    register(defined(schedule="0 5 * * *"), defined("plain"))
    made = Schedule.objects.get()
    assert (made.task_id, made.cron, made.type) == ("report", "0 5 * * *", "DECLARATIVE")
    register(
        defined(schedule=schedule("0 6 * * *", timezone="Asia/Tokyo", window="1h")),
        defined("plain"),
    )
    made.refresh_from_db()
    assert (made.cron, made.timezone, made.window) == ("0 6 * * *", "Asia/Tokyo", "1h")
    assert made.next_at > made.clock.nominal(made.next_at)
    register(defined(), defined("plain"))
    assert not Schedule.objects.exists()


def test_a_task_that_vanished_takes_its_schedule_along():
    register(defined(schedule="0 5 * * *"), defined("kept"))
    register(defined("kept"))
    assert not Schedule.objects.exists()


def test_a_file_that_broke_keeps_its_schedule():
    register(defined(schedule="0 5 * * *"))
    Task.objects.update(file_path="/tasks/bad.py")
    register(broken=[BrokenFile("/tasks/bad.py", "Traceback: no", ("report",))])
    assert Schedule.objects.get().active


def test_a_schedule_for_another_environment_is_left_out(settings):
    made = defined(schedule=schedule("0 5 * * *", environments=["prod"]))
    register(made)
    assert not Schedule.objects.exists()
    settings.TRACKSIDE = {"ENVIRONMENT": {"name": "Live", "kind": "prod"}}
    register(made)
    assert Schedule.objects.exists()


def test_the_tasks_policy_reaches_its_schedules():
    register(defined(schedule="* * * * *", overlap="skip"))
    for _ in range(2):
        Schedule.objects.update(next_at=timezone.now() - timedelta(seconds=1))
        lifecycle.fire_due()
    assert Run.objects.count() == 1


def test_code_works_with_schedules():
    register(task := defined())
    made = schedules.create(task=task, cron="0 8 * * *", deduplication_key="k", external_id="u1")
    assert made.id.startswith("sched_")
    assert (made.type, made.generator.description) == ("IMPERATIVE", "At 08:00 every day")
    assert made.next_run is not None
    assert schedules.create(task="report", cron="0 9 * * *", deduplication_key="k").id == made.id
    changed = schedules.update(made.id, timezone="Asia/Tokyo")
    assert (changed.generator.expression, changed.timezone) == ("0 9 * * *", "Asia/Tokyo")
    assert changed.external_id is None
    assert not schedules.deactivate(made.id).active
    assert schedules.activate(made.id).active
    assert schedules.retrieve(made.id) == schedules.activate(made.id)
    page = schedules.list(per_page=1)
    assert ([one.id for one in page], page.count, page.total_pages) == ([made.id], 1, 1)
    schedules.delete(made.id)
    with pytest.raises(NotFound, match=made.id):
        schedules.retrieve(made.id)
    assert set(AuditLog.objects.values_list("actor", flat=True)) == {"code"}


def test_pages_are_the_newest_first():
    register(defined())
    ids = [schedules.create(task="report", cron="@daily", deduplication_key=k).id for k in "abc"]
    first, second = (schedules.list(page=number, per_page=2) for number in (1, 2))
    assert [one.id for one in (*first, *second)] == ids[::-1]
    assert (second.current_page, second.total_pages, second.count) == (2, 2, 3)
    assert schedules.list(page=9).data == ()


def test_a_declared_schedule_is_changed_in_the_code():
    register(defined(schedule="@daily"))
    with pytest.raises(InvalidOption, match="change it there"):
        schedules.update(Schedule.objects.get().pk, cron="@hourly")


def test_the_runtime_of_the_app_has_them():
    assert runtime.installed().schedules is not None

"""Schedules on real clusters: on time, once, whoever dies."""

import signal
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.lifecycle import schedules
from runs.lifecycle.schedules import Timetable
from runs.models import Run, Schedule, ScheduleTick
from runs.states import RunStatus
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance

DECLARED = """
from engine import ScheduledPayload, schedule, task

@task(schedule=schedule("0 0 1 1 *", timezone="Asia/Tokyo"))
def newyear(payload: ScheduledPayload):
    return [payload.timestamp.isoformat(), payload.type, len(payload.upcoming)]
"""


def due_in(seconds, **which):
    """Let schedules fire as if this were their time; a cron expression has whole minutes only."""
    at = timezone.now() + timedelta(seconds=seconds)
    Schedule.objects.filter(**which).update(next_at=at)
    return at


def test_each_fire_makes_one_run_on_time_whoever_is_killed(site):
    tasks = site.home / "tasks"
    tasks.mkdir()
    (tasks / "newyear.py").write_text(DECLARED)
    clusters = [site.cluster(tasks=tasks), site.cluster(tasks=tasks)]
    declared = Schedule.objects.get()
    assert f"{declared.next_at:%m-%d %H:%M}" == "12-31 15:00"
    at = due_in(1)
    run = eventually(lambda: Run.objects.filter(status=RunStatus.COMPLETED).first(), within=5)
    assert timedelta(0) <= run.created_at - at < timedelta(seconds=1.5)
    assert run.output == f'["{at.replace(microsecond=0).isoformat()}","DECLARATIVE",5]'

    timetable = Timetable(task_id="newyear", cron="0 0 1 1 *", catch_up="latest")
    made = [schedules.create(timetable, actor="user:test").pk for _ in range(24)]
    for number, one in enumerate(made):
        due_in(1 + number * 0.08, pk=one)
    eventually(lambda: Run.objects.filter(schedule_id__in=made).count() >= 6)
    clusters[0].send(signal.SIGKILL)
    wanted = sorted([declared.pk, *made])
    eventually(lambda: ScheduleTick.objects.count() == len(wanted))
    site.accepted += Run.objects.values_list("pk", flat=True)
    assert sorted(Run.objects.values_list("schedule_id", flat=True)) == wanted
    assert not ScheduleTick.objects.exclude(outcome="fired").exists()

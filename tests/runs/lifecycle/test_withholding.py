"""A delete of a schedule that can be taken back, on both databases."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import schedules, withholding
from runs.models import AuditLog, PendingDelete, Run, Schedule, ScheduleTick
from tests.support.schedules import fire_all, schedule

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
WHO = "user:ada"


def soon(row):
    return withholding.delete_soon(row.pk, actor=WHO, reason="wrong")


def over():
    PendingDelete.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    return lifecycle.delete_due()


def test_it_does_not_fire_meanwhile(clock):
    row = schedule("0 10 * * *")
    soon(row)
    clock("10:00:00")
    fire_all()
    assert not Run.objects.exists()


def test_taken_back_it_fires_also_what_was_due_meanwhile(clock):
    row = schedule("0 10 * * *")
    due = row.next_at
    soon(row)
    clock("10:00:03")
    assert withholding.withdraw_delete(row.pk, actor=WHO)
    assert Schedule.objects.get().next_at == due
    fire_all()
    assert Run.objects.count() == 1
    assert not withholding.withdraw_delete(row.pk, actor=WHO)
    verbs = AuditLog.objects.filter(target=row.pk).values_list("action", flat=True)
    assert {"schedule.delete_soon", "schedule.delete_withdrawn"} < set(verbs)


def test_it_is_deleted_when_its_time_has_come():
    row = schedule("0 10 * * *")
    soon(row)
    assert lifecycle.delete_due() == 0
    assert over() == 1
    assert not Schedule.objects.exists()
    assert not PendingDelete.objects.exists()
    told = AuditLog.objects.get(action="schedule.delete")
    assert (told.actor, told.reason) == (WHO, "wrong")
    assert over() == 0


def test_a_fire_that_waits_is_not_made_meanwhile(clock):
    row = schedule(overlap="queue_one")
    clock("10:00:00")
    fire_all()
    clock("11:00:00")
    fire_all()
    assert Schedule.objects.get().held_at is not None
    soon(row)
    lifecycle.cancel(Run.objects.get().pk, actor=WHO)
    lifecycle.fire_due()
    assert Run.objects.count() == 1
    withholding.withdraw_delete(row.pk, actor=WHO)
    lifecycle.fire_due()
    assert Run.objects.count() == 2


def test_what_is_switched_off_meanwhile_stays_off():
    row = schedule("0 10 * * *")
    soon(row)
    schedules.deactivate(row.pk, actor=WHO)
    withholding.withdraw_delete(row.pk, actor=WHO)
    row.refresh_from_db()
    assert (row.active, row.next_at) == (False, None)


def test_who_makes_it_anew_by_its_key_keeps_it():
    row = schedule("0 10 * * *", key="daily")
    soon(row)
    again = schedules.create(schedules.timetable_of(row), deduplication_key="daily", actor=WHO)
    assert again.pk == row.pk
    assert over() == 0
    assert Schedule.objects.get().next_at is not None


def test_twice_is_once_and_code_is_left_alone():
    row = schedule("0 10 * * *")
    assert soon(row).due_at == soon(row).due_at
    Schedule.objects.filter(pk=row.pk).update(type="DECLARATIVE")
    with pytest.raises(InvalidOption):
        soon(row)
    with pytest.raises(NotFound):
        withholding.delete_soon("sched_gone", actor=WHO)


def test_a_pause_says_who_and_why_until_it_goes_on():
    row = schedule("0 10 * * *")
    schedules.deactivate(row.pk, actor=WHO, reason="holidays")
    row.refresh_from_db()
    assert (row.paused_by, row.paused_reason) == (WHO, "holidays")
    assert row.paused_at is not None
    schedules.activate(row.pk, actor=WHO)
    row.refresh_from_db()
    assert (row.paused_at, row.paused_by, row.paused_reason) == (None, "", "")
    assert not ScheduleTick.objects.exists()

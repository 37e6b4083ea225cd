from datetime import timedelta

import pytest
from django.utils import timezone

from runs.reads.activity import last_day, last_runs
from tests.support.rows import completed_run, failed_run, make_task, queued_run

pytestmark = pytest.mark.django_db


def test_puts_runs_into_their_hours(time_machine, monkeypatch):
    monkeypatch.setattr("runs.ids._last", 0)
    time_machine.move_to("2030-01-01T09:30:00Z")
    failed_run("mail")
    time_machine.move_to("2030-01-02T08:59:00Z")
    completed_run("mail")
    now = timezone.now()
    day = last_day(now)["mail"]
    assert [(hour.start.hour, hour.total) for hour in day.hours if hour.total] == [(9, 1), (8, 1)]
    assert day.failure_rate == 0.5
    assert last_day(now + timedelta(hours=2))["mail"].failure_rate == 0


def test_knows_the_newest_run_of_each_task():
    queued_run("mail")
    newest = queued_run("mail")
    quiet = make_task("quiet")
    assert last_runs([make_task("mail"), quiet]) == {"mail": newest}

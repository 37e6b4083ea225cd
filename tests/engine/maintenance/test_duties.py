"""Housekeeping calls every duty, and a duty says what it did."""

import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from engine import maintenance
from engine.maintenance import loglines, pruner, ticks, turns
from engine.maintenance.mender import Mender
from engine.maintenance.pruner import Pruner
from runs.lifecycle import retention
from runs.models import LogLine, Ready, Run, ScheduleTick, TickOutcome
from tests.support import factories
from tests.support.schedules import schedule

pytestmark = pytest.mark.django_db


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "trackside")
    return caplog


def old_runs(count):
    """Runs that are a year old and ended then."""
    then = timezone.now() - timedelta(days=365)
    for number in range(count):
        run = factories.ended_run()
        Run.objects.filter(pk=run.pk).update(
            id=f"run_0{number:025}", created_at=then, finished_at=then
        )


def test_every_duty_can_be_done(settings, monkeypatch):
    settings.TRACKSIDE = {"RUN_RETENTION_DAYS": 1}
    keeping = maintenance.Housekeeping()
    done = []
    keeping.duties = [
        (period, lambda d=duty: done.append(d()) or 0) for period, duty in keeping.duties
    ]
    keeping.run()
    assert len(done) == len(keeping.duties)
    keeping.run()
    assert len(done) == len(keeping.duties)


def test_runs_are_kept_for_ever_unless_asked_otherwise(said):
    old_runs(1)
    assert Pruner().prune() == 0
    assert Run.objects.count() == 1


def test_old_runs_go_in_turns_and_then_it_rests(settings, said, monkeypatch):
    settings.TRACKSIDE = {"RUN_RETENTION_DAYS": 30}
    monkeypatch.setattr(turns, "TURN", 0)
    monkeypatch.setattr(retention, "RUNS", 2)
    old_runs(5)
    factories.ended_run()
    duty = Pruner()
    assert [duty.prune() for _ in range(4)] == [2, 2, 1, 0]
    assert Run.objects.count() == 1
    assert "Removed 5 old runs and 0 batches." in said.text
    old_runs(1)
    assert duty.prune() == 0
    duty.rests_until -= pruner.REST
    assert duty.prune() == 1


def test_log_lines_and_ticks_have_days_of_their_own(settings, said):
    old = timezone.now() - timedelta(days=50)
    LogLine.objects.create(run_id="run_a", attempt=1, level=20, logger="", message="", at=old)
    made = schedule()
    for days in (50, 51):
        at = timezone.now() - timedelta(days=days)
        ScheduleTick.objects.create(
            schedule=made, at=at, until=at, outcome=TickOutcome.FIRED, recorded_at=at
        )
    assert (loglines.prune_log_lines(), ticks.prune_ticks()) == (0, 1)
    assert "Removed 1 fires of schedules from before" in said.text
    settings.TRACKSIDE = {"LOG_RETENTION_DAYS": 40, "TICK_RETENTION_DAYS": 0}
    assert loglines.prune_log_lines() == 1
    assert "Removed 1 log lines and spans from before" in said.text
    assert ticks.prune_ticks() == 0


def test_a_forgotten_wait_is_named_in_the_log(said):
    run = factories.waiting_run()
    Ready.objects.all().delete()
    assert Mender().mend() == 1
    assert f"Woke 1 waiting runs that nobody would have woken: {run.pk}" in said.text

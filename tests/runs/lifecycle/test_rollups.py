"""Rollups say what the runs say, whenever and however often they are made."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import depths, rollups
from runs.models import Depth, Facet, Rollup, RollupMark, Run, Step
from runs.reads import rollups as reads
from runs.reads.tally import tally
from runs.states import RunStatus
from tests.support import factories
from tests.support.past import past_run

pytestmark = pytest.mark.django_db
S = RunStatus
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def noon(time_machine):
    time_machine.move_to(NOON, tick=False)
    return time_machine


def counted():
    """Until nothing is left to count."""
    for _ in range(200):
        if not rollups.roll_up():
            return
    raise AssertionError("It never ends.")


def row(step=Step.HOUR, facet=Facet.ALL, name="", at=None):
    rows = Rollup.objects.filter(step=step, facet=facet, name=name)
    return rows.get(at=at) if at else rows.get()


def test_counts_by_task_queue_and_version():
    past_run(NOON - HOUR)
    past_run(NOON - HOUR, S.FAILED, task_id="mail", version="v2")
    past_run(NOON - HOUR, S.EXPIRED, started_at=None, version="")
    past_run(NOON - HOUR, attempt_number=3, uncounted_attempts=1)
    counted()
    whole = row(at=NOON - HOUR)
    assert (whole.completed, whole.failed, whole.expired, whole.recovered) == (2, 1, 1, 1)
    assert row(facet=Facet.TASK, name="mail", at=NOON - HOUR).failed == 1
    assert row(facet=Facet.QUEUE, name="task/hello", at=NOON - HOUR).completed == 2
    assert row(facet=Facet.VERSION, name="v2", at=NOON - HOUR).failed == 1
    assert not Rollup.objects.filter(facet=Facet.VERSION, name="").exists()


def test_counts_what_is_made_where_it_is_made():
    past_run(NOON - HOUR, took=2 * 3600, waited=0)
    counted()
    assert row(at=NOON - 3 * HOUR).triggered == 1
    assert row(at=NOON - HOUR).triggered == 0


def test_keeps_how_long_it_took():
    for took in (0.003, 0.7, 0.7, 40):
        past_run(NOON - HOUR, took=took, waited=3)
    counted()
    whole = reads.tally_of(row(at=NOON - HOUR))
    assert sum(whole.durations.values()) == 4
    assert 0.5 <= whole.duration(0.5) <= 1
    assert 30 <= whole.duration(0.95) <= 60
    assert 2 <= whole.wait(0.95) <= 5


def test_goes_on_where_it_was():
    past_run(NOON - HOUR)
    counted()
    assert rollups.roll_up() == 0
    past_run(NOON - 30 * SECOND)
    assert rollups.mark().until == NOON - MINUTE
    assert not Rollup.objects.filter(at__gte=NOON - MINUTE).exists()


def test_counts_a_minute_that_is_over(noon):
    counted()
    past_run(NOON + 30 * SECOND)
    noon.move_to(NOON + 62 * SECOND, tick=False)
    counted()
    assert not Rollup.objects.exists()
    noon.move_to(NOON + 66 * SECOND, tick=False)
    assert rollups.roll_up() == 1
    assert row(Step.MINUTE, at=NOON).completed == 1
    assert row(Step.HOUR, at=NOON).completed == 1


def test_what_is_recorded_late_is_counted_later(noon):
    past_run(NOON - 2 * MINUTE)
    counted()
    past_run(NOON - 2 * MINUTE, S.FAILED)
    noon.move_to(NOON + 3 * MINUTE, tick=False)
    counted()
    late = row(Step.MINUTE, at=NOON - 2 * MINUTE)
    assert (late.completed, late.failed) == (1, 1)
    assert row(at=NOON - HOUR).failed == 1


def test_runs_that_are_removed_stay_counted(noon):
    past_run(NOON - 2 * MINUTE)
    counted()
    Run.objects.all().delete()
    noon.move_to(NOON + 3 * HOUR, tick=False)
    counted()
    assert row(at=NOON - HOUR).completed == 1


def test_a_day_is_there_once_it_is_over(noon):
    past_run(NOON - HOUR)
    past_run(NOON - 3 * HOUR)
    counted()
    assert not Rollup.objects.filter(step=Step.DAY, at=NOON - 12 * HOUR).exists()
    noon.move_to(NOON + 40 * HOUR, tick=False)
    past_run(NOON + 39 * HOUR)
    counted()
    assert row(Step.DAY, at=NOON - 12 * HOUR).completed == 2


def test_old_times_are_counted_by_the_hour():
    for days in (3, 40, 400):
        past_run(NOON - timedelta(days=days))
    counted()
    assert Rollup.objects.filter(step=Step.HOUR, facet=Facet.ALL, completed=1).count() == 3
    assert Rollup.objects.filter(step=Step.DAY, facet=Facet.ALL, completed=1).count() == 3
    assert not Rollup.objects.filter(step=Step.MINUTE).exists()


def test_goes_by_as_many_runs_as_it_can_bear(monkeypatch):
    monkeypatch.setattr(rollups, "MOST", 3)
    for number in range(20):
        past_run(NOON - timedelta(days=5) + number * 7 * MINUTE)
    counted()
    days = Rollup.objects.filter(step=Step.DAY, facet=Facet.ALL)
    assert [(one.at, one.completed) for one in days] == [(NOON - timedelta(days=5, hours=12), 20)]


def test_only_one_cluster_counts_at_a_time(monkeypatch):
    past_run(NOON - HOUR)

    def meanwhile(*args):
        assert rollups.roll_up() == 0
        return tally(*args)

    monkeypatch.setattr(rollups, "tally", meanwhile)
    assert rollups.roll_up() > 0


def test_a_cluster_that_went_while_counting_is_followed(noon):
    past_run(NOON - HOUR)
    RollupMark.objects.create(pk=1, taken_until=NOON + MINUTE)
    assert rollups.roll_up() == 0
    noon.move_to(NOON + 2 * MINUTE, tick=False)
    counted()
    assert row(at=NOON - HOUR).completed == 1


def test_whoever_was_too_slow_writes_nothing(monkeypatch):
    past_run(NOON - HOUR)

    def overtaken(*args):
        RollupMark.objects.update(taken_until=NOON + HOUR)
        return tally(*args)

    monkeypatch.setattr(rollups, "tally", overtaken)
    assert rollups.roll_up() == 0
    assert not Rollup.objects.exists()


def test_old_rollups_go(noon, settings):
    past_run(NOON - HOUR)
    counted()
    noon.move_to(NOON + 60 * HOUR, tick=False)
    counted()
    assert rollups.prune_rollups() > 0
    assert not Rollup.objects.filter(step=Step.MINUTE, at__lt=NOON).exists()
    assert Rollup.objects.filter(step=Step.HOUR).exists()
    settings.TRACKSIDE = {"ROLLUP_RETENTION_DAYS": 1}
    while rollups.prune_rollups():
        pass
    assert not Rollup.objects.exists()


def test_reads_what_no_rollup_has():
    past_run(NOON - HOUR)
    counted()
    past_run(NOON - 10 * SECOND, S.FAILED)
    now = timezone.now()
    rest = reads.tail(now)
    found = reads.whole(reads.over_time(Facet.ALL, "", NOON - 2 * HOUR, Step.HOUR, rest))
    assert (found.completed, found.bad, found.failure_rate) == (1, 1, 0.5)
    assert reads.each(Facet.TASK, NOON - 2 * HOUR, now, rest)["hello"].ended == 2
    assert list(reads.each_over_time(Facet.TASK, NOON - 2 * HOUR, Step.HOUR, rest)) == ["hello"]


def test_says_when_too_much_is_not_counted_yet(monkeypatch):
    monkeypatch.setattr(reads, "MOST", 1)
    past_run(NOON - HOUR)
    assert not reads.tail(NOON).is_behind
    past_run(NOON - HOUR)
    cache.clear()  # it is remembered for some seconds
    assert reads.tail(NOON).is_behind


def test_a_long_time_is_made_of_days_and_hours():
    for hours in (1, 20, 50, 100, 500):
        past_run(NOON - timedelta(hours=hours))
    counted()
    rest = reads.tail(NOON)
    for days, expected in ((1, 2), (3, 3), (30, 5)):
        found = reads.each(Facet.TASK, NOON - timedelta(days=days), NOON, rest)
        assert found["hello"].completed == expected


def test_samples_how_full_queues_are(noon):
    factories.queue("mail", limit=3)
    factories.task("send", queue="mail")
    for _ in range(3):
        factories.trigger("send")
    factories.claim(factories.session(slots=4))
    assert depths.sample_depths() == 2
    assert depths.sample_depths() == 0
    mail = Depth.objects.get(queue="mail")
    assert (mail.queued, mail.running, mail.room) == (2, 1, 3)
    assert reads.depths("", NOON - HOUR)[0].queued == 2
    noon.move_to(NOON + 50 * HOUR, tick=False)
    assert lifecycle.prune_depths() == 2

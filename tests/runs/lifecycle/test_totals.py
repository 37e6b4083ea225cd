"""Counters for monitoring only rise, whatever becomes of runs and rollups."""

from datetime import UTC, datetime, timedelta

import pytest

from runs.lifecycle import rollups, totals
from runs.models import Facet, Rollup, RollupMark, Run, Schedule, Total
from runs.states import RunStatus
from tests.support.past import past_run

pytestmark = pytest.mark.django_db
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def noon(time_machine):
    time_machine.move_to(NOON, tick=False)
    return time_machine


def counted():
    while rollups.roll_up():
        pass


def total(name="hello", facet=Facet.TASK):
    return Total.objects.get(facet=facet, name=name)


def test_counts_by_task_and_queue_what_ended():
    past_run(NOON - HOUR)
    past_run(NOON - HOUR, attempt_number=3, took=40)
    past_run(NOON - HOUR, RunStatus.FAILED)
    past_run(NOON - HOUR, task_id="mail")
    counted()
    hello = total()
    assert (hello.triggered, hello.completed, hello.recovered, hello.failed) == (3, 2, 1, 1)
    assert hello.attempts == 5
    assert rollups.tally_of(hello).durations == {10: 2, 14: 1}
    assert total("task/mail", Facet.QUEUE).completed == 1


def test_goes_on_from_there_and_nothing_takes_from_it(noon):
    past_run(NOON - HOUR)
    counted()
    Run.objects.all().delete()
    Rollup.objects.all().delete()
    rollups.count_anew(NOON - 2 * HOUR)
    counted()
    assert total().completed == 1
    noon.shift(10 * MINUTE)
    past_run(NOON + 5 * MINUTE)
    counted()
    assert total().completed == 2


def test_what_is_counted_anew_is_not_counted_twice(noon):
    past_run(NOON - HOUR)
    past_run(NOON - 2 * MINUTE)
    counted()
    rollups.count_anew(NOON - HOUR)
    counted()
    assert (total().completed, total().triggered) == (2, 2)


def test_a_run_that_is_recorded_late_is_added_once(noon):
    past_run(NOON - 2 * MINUTE)
    counted()
    past_run(NOON - 2 * MINUTE, took=40)
    for _ in range(20):
        noon.shift(MINUTE)
        counted()
    assert (total().completed, total().triggered, total().attempts) == (2, 2, 2)
    assert sum(rollups.tally_of(total()).durations.values()) == 2


def test_names_beyond_the_limit_share_a_row_for_good(settings, noon):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "METRICS_NAMES": 2}
    for at, name in enumerate(["a", "b", "c", "d", totals.OTHER]):
        past_run(NOON - HOUR + at * MINUTE, task_id=name, queue="one")
    counted()
    noon.shift(HOUR)
    past_run(NOON, task_id="a", queue="one")
    past_run(NOON, task_id="c", queue="one")
    noon.shift(MINUTE)
    counted()
    found = dict(Total.objects.filter(facet=Facet.TASK).values_list("name", "completed"))
    assert found == {"a": 2, "b": 1, "": 4}
    assert total("one", Facet.QUEUE).completed == 7


def test_missed_fires_are_counted():
    totals.count_missed(3)
    totals.count_missed(2)
    assert RollupMark.objects.get().missed_fires == 5
    assert not Schedule.objects.exists()

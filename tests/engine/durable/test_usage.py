"""What is measured of runs: executing time of attempts and runs, without waits (features.md WA-4)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from engine import AbortTaskRunError, step, task, usage, wait
from engine.sdk import notes
from runs.lifecycle import waiting
from runs.models import Lease, Run
from runs.reads import usage as reads
from tests.support import factories
from tests.support.driver import Driver


@pytest.fixture(autouse=True)
def _one_connection():
    """What the test's transaction wrote no other connection sees."""
    with notes.on_this_connection():
        yield


def ten_seconds():
    """The segment has executed that long."""
    Lease.objects.update(started_at=timezone.now() - timedelta(seconds=10))


def used():
    compute = usage.get_current().compute
    return compute.attempt.duration_ms, compute.total.duration_ms


def test_waits_do_not_count_and_segments_add_up(driver: Driver):
    seen = []

    @task(id="sleeper")
    def body(payload):
        step("work", ten_seconds)
        wait(60)
        seen.append(used())

    run = driver.finish(body)
    waiting.skip(run.pk, actor="user:ann")
    driver.until_idle()
    assert [10_000 <= ms < 12_000 for ms in seen[0]] == [True, True]
    assert 10_000 <= Run.objects.get(pk=run.pk).usage_ms < 13_000


def test_a_run_counts_all_attempts_and_an_attempt_its_own(driver: Driver):
    seen = []

    @task(id="flaky", retry={"max_attempts": 2, "min_timeout": 0, "max_timeout": 0})
    def body(payload, ctx):
        if ctx.attempt.number == 1:
            step("work", ten_seconds)
            wait(60)
            raise ValueError("once")
        seen.append(used())

    run = driver.finish(body)
    waiting.skip(run.pk, actor="user:ann")
    driver.until_idle()
    driver.due()
    (attempt, total), *_ = seen
    assert 0 <= attempt < 2000
    assert 10_000 <= total < 13_000


def test_after_the_end_hooks_learn_what_it_was(driver: Driver):
    @task(id="gone")
    def body(payload):
        ten_seconds()
        raise AbortTaskRunError("enough")

    run = driver.finish(body)
    total, attempt, is_executing, since = reads.of(run.pk, 1)
    assert [10_000 <= ms < 12_000 for ms in (total, attempt)] == [True, True]
    assert (is_executing, since) == (False, None)


def test_the_segment_that_executes_is_told_live(db):
    held = factories.executing_run()
    now = timezone.now()
    Lease.objects.update(started_at=now - timedelta(seconds=10))
    run = Run.objects.get(pk=held.run_id)
    assert reads.executed(run, now) == timedelta(seconds=10)

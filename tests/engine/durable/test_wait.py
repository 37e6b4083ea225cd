import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from engine import step, task, wait
from runs import lifecycle
from runs.lifecycle import waiting
from runs.models import Attempt, Event, Journal, Lease, Ready, Run, Waiter
from runs.reads import attempts as reads_attempts
from tests.support.driver import Driver

entered: list[str] = []


@pytest.fixture(autouse=True)
def _forget():
    entered.clear()


def sleeper(seconds=60.0, **options):
    @task(id="sleeper", **options)
    def body(payload, ctx):
        entered.append(f"attempt {ctx.attempt.number}")
        print("before")
        wait(seconds)
        print("after")
        return "slept"

    return body


def later(**parts):
    return time_machine.travel(timezone.now() + timedelta(**parts), tick=True)


def test_a_wait_leaves_the_worker_and_holds_nothing(driver: Driver):
    run = driver.finish(sleeper())
    assert run.status == "WAITING"
    assert not Lease.objects.exists()
    assert not Attempt.objects.exists()
    due = Ready.objects.get(pk=run.pk).not_before
    assert timedelta(seconds=50) < due - timezone.now() <= timedelta(seconds=60)
    assert Journal.objects.get().due_at == due


def test_it_comes_back_to_the_same_attempt_and_line(driver: Driver):
    run = driver.finish(sleeper())
    with later(seconds=61):
        driver.due()
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.output, run.attempt_number) == ("COMPLETED", '"slept"', 1)
    assert entered == ["attempt 1"] * 2
    assert driver.logs.messages == ["before", "after"]
    kinds = list(Event.objects.filter(run_id=run.pk).values_list("kind", "attempt"))
    assert [kind for kind, _ in kinds] == [
        "triggered", "dequeued", "started", "waiting", "resumed", "dequeued", "started", "completed"
    ]  # fmt: skip
    assert {attempt for _, attempt in kinds[1:]} == {1}


def test_before_it_is_due_nothing_happens(driver: Driver):
    run = driver.finish(sleeper())
    with later(seconds=55):
        driver.due()
    assert Run.objects.get(pk=run.pk).status == "WAITING"


def test_a_short_wait_stays_in_the_worker(driver: Driver):
    run = driver.finish(sleeper(0.01))
    assert run.status == "COMPLETED"
    assert entered == ["attempt 1"]
    assert Journal.objects.count() == 1


def test_until_waits_for_a_moment(driver: Driver):
    moment = datetime(2099, 5, 1, 12, tzinfo=UTC)

    @task
    def may_first():
        wait.until(moment)

    run = driver.finish(may_first)
    assert Ready.objects.get(pk=run.pk).not_before == moment


def test_the_past_is_over_at_once(driver: Driver):
    @task
    def past():
        wait.until(datetime(2020, 1, 1, tzinfo=UTC))
        wait(0)

    assert driver.finish(past).status == "COMPLETED"
    assert not Journal.objects.exists()


def test_the_past_may_be_an_error(driver: Driver):
    @task
    def past():
        wait.until(datetime(2020, 1, 1, tzinfo=UTC), raise_if_past=True)

    assert driver.finish(past).status == "FAILED"


@pytest.mark.parametrize(
    "call",
    [
        lambda: wait(),
        lambda: wait("soon"),
        lambda: wait(-1),
        lambda: wait(hours=1, minutes=5),
        lambda: wait(fortnights=1),
        lambda: wait(hours="1"),
        lambda: wait.until(datetime(2999, 1, 1)),  # noqa: DTZ001
        lambda: wait.until("2999-01-01"),
    ],
)
def test_refuses_what_is_no_duration(driver: Driver, call):
    @task
    def wrong():
        call()

    run = driver.finish(wrong)
    assert run.status == "FAILED"
    assert "InvalidOption" in run.error


def test_a_moment_is_no_further_away_than_a_duration_may_be(driver: Driver):
    @task
    def forever():
        wait.until(datetime.max.replace(tzinfo=UTC))

    run = driver.finish(forever)
    assert run.status == "FAILED"
    assert "too far away, 9999-12-31" in json.loads(run.error)["message"]


def test_a_failed_attempt_does_not_wait_again(driver: Driver):
    @task(retry={"max_attempts": 2, "min_timeout": 0, "randomize": False})
    def fails_once(payload, ctx):
        wait(60)
        if ctx.attempt.number == 1:
            raise ValueError("no")
        return ctx.attempt.number

    run = driver.finish(fails_once)
    with later(seconds=61):
        driver.due()
        driver.due()
    assert Run.objects.get(pk=run.pk).output == "2"


def test_cancel_ends_a_wait_at_once(driver: Driver):
    run = driver.finish(sleeper())
    lifecycle.cancel(run.pk, actor="user:ada")
    run = Run.objects.get(pk=run.pk)
    assert run.status == "CANCELED"
    assert not Ready.objects.exists()
    assert not Waiter.objects.exists()
    attempt = Attempt.objects.get(run_id=run.pk)
    assert (attempt.number, attempt.status) == (1, "CANCELED")


def test_cancel_of_one_on_its_way_back_ends_its_attempt(driver: Driver):
    run = driver.finish(sleeper())
    with later(seconds=61):
        lifecycle.promote_due()
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.is_resuming, run.is_retrying) == ("QUEUED", True, False)
    lifecycle.cancel(run.pk, actor="user:ada")
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.attempt_number) == ("CANCELED", 1)
    assert Attempt.objects.get(run_id=run.pk).number == 1


def test_replay_of_a_waiting_run_starts_from_the_beginning(driver: Driver):
    run = driver.finish(sleeper())
    again = lifecycle.replay(run.pk, actor="user:ada")
    driver.until_idle()
    assert Run.objects.get(pk=again.run_id).status == "WAITING"
    assert len(entered) == 2
    assert Journal.objects.count() == 2


def test_skip_ends_a_time_wait(driver: Driver):
    run = driver.finish(sleeper())
    waiting.skip(run.pk, actor="user:ada")
    driver.until_idle()
    assert Run.objects.get(pk=run.pk).status == "COMPLETED"


def test_max_duration_counts_all_segments_and_no_wait(driver: Driver):
    @task(max_duration=60)
    def long():
        wait(30)
        wait(30)

    run = driver.finish(long)
    Run.objects.filter(pk=run.pk).update(attempt_ms=20_000)
    driver.slot.deadline = 60_000_000_000
    with later(seconds=31):
        driver.due()
    assert 39_000_000_000 < driver.slot.deadline <= 40_000_000_000
    assert Run.objects.get(pk=run.pk).attempt_ms >= 20_000


def test_a_swallowed_suspension_suspends_all_the_same(driver: Driver):
    @task
    def stubborn():
        try:
            wait(60)
        except BaseException:
            entered.append("swallowed")
        return "done"

    assert driver.finish(stubborn).status == "WAITING"
    assert entered == ["swallowed"]


def test_finally_and_with_run_and_except_exception_does_not(driver: Driver):
    @task
    def tidy():
        try:
            wait(60)
        except Exception:
            entered.append("except")
        finally:
            entered.append("finally")

    assert driver.finish(tidy).status == "WAITING"
    assert entered == ["finally"]


def test_async_bodies_wait_with_and_without_await(driver: Driver):
    @task
    async def both():
        await wait(60)
        wait(60)
        return "done"

    run = driver.finish(both)
    for seconds in (61, 122):
        assert Run.objects.get(pk=run.pk).status == "WAITING"
        with later(seconds=seconds):
            driver.due()
    assert Run.objects.get(pk=run.pk).status == "COMPLETED"


def test_many_waits_cost_the_same_number_of_statements_each(driver: Driver):
    """Linear: a segment reads its journal once, whatever is in it."""

    @task
    def loop():
        for number in range(40):
            step("n", lambda number=number: number)
            wait(60)

    run_id = driver.trigger(loop)
    costs = []
    with time_machine.travel(timezone.now(), tick=True) as clock:
        for _ in range(40):
            with CaptureQueriesContext(connection) as queries:
                driver.segment()
                clock.shift(61)
                lifecycle.promote_due()
            costs.append(len(queries))
        driver.segment()
    assert Run.objects.get(pk=run_id).status == "COMPLETED"
    assert max(costs[1:]) == min(costs[1:])


def test_an_attempt_shows_its_segments(driver: Driver):
    run = driver.finish(sleeper())
    waiting = reads_attempts.of(Run.objects.get(pk=run.pk))
    assert [(one.number, one.status) for one in waiting] == [(1, "WAITING")]
    with later(seconds=61):
        driver.due()
    done = reads_attempts.of(Run.objects.get(pk=run.pk))
    assert [(one.number, one.status) for one in done] == [(1, "COMPLETED")]

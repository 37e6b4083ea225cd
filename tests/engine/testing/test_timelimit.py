"""`max_duration` where a test executes the body."""

import asyncio
import signal
import threading
import time

import pytest

from engine import retry, step, task, wait
from runs import durations


def test_a_pause_ends_where_the_time_does(trackside):
    seen = []

    @task(max_duration="5m", retry={"max_attempts": 3})
    def long(ctx):
        began = trackside.clock.now()
        try:
            assert not ctx.signal.wait(timeout=200)
            assert ctx.signal.wait(timeout=3600)
            ctx.signal.raise_if_aborted()
        finally:
            seen.append((ctx.signal.reason, round((trackside.clock.now() - began).total_seconds())))

    run = trackside.run(long)
    assert (run.status, run.error.code) == ("TIMED_OUT", "MAX_DURATION_EXCEEDED")
    assert "max_duration of 300 seconds" in run.error.message
    assert seen == [("timeout", 300)]
    assert len(run.attempts) == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_tries_of_a_block_end_with_it(trackside, is_async):
    tries = []

    def refused():
        tries.append(1)
        raise ConnectionError

    async def refused_later():
        refused()

    def body():
        retry.on_throw(refused, max_attempts=50, min_timeout=4, factor=1)

    async def coroutine():
        await retry.on_throw(refused_later, max_attempts=50, min_timeout=4, factor=1)

    made = task(id="long", max_duration=10)(coroutine if is_async else body)
    assert trackside.run(made).status == "TIMED_OUT"
    assert len(tries) == 3


def test_a_body_without_limit_and_one_in_time_are_left_alone(trackside):
    def body(ctx):
        assert not ctx.signal.wait(timeout=290)

    for limit in (None, "5m"):
        assert trackside.run(task(id="long", max_duration=limit)(body)).ok


def test_waits_do_not_count_and_all_segments_do(trackside):
    seen = []

    @task(max_duration=100)
    def long(payload, ctx):
        step("first", lambda: ctx._signal.wait(60))
        wait(days=1)
        seen.append("after the wait")
        ctx._signal.wait(payload)

    assert trackside.run(long, 30).ok
    assert trackside.run(long, 50).status == "TIMED_OUT"
    assert len(seen) == 2


def blocking(ctx):
    time.sleep(30)


async def awaiting(ctx):
    await asyncio.sleep(30)


def listening(ctx):
    ctx.signal.on_abort(lambda _: None)
    while not ctx.signal.aborted:
        time.sleep(0.01)


@pytest.mark.parametrize("body", [blocking, awaiting, listening])
def test_time_that_really_passes_counts(trackside, monkeypatch, body):
    monkeypatch.setattr(durations, "LEAST_LIMIT", 0.05)
    before, began = signal.getsignal(signal.SIGUSR1), time.monotonic()
    run = trackside.run(task(id="long", max_duration=0.1)(body))
    assert run.status == "TIMED_OUT"
    assert time.monotonic() - began < 5
    assert signal.getsignal(signal.SIGUSR1) == before


def test_no_timer_outlives_its_run(trackside):
    @task(max_duration="1h")
    def short(): ...

    before = threading.active_count()
    assert trackside.run(short).ok
    assert threading.active_count() == before

"""The tries of a block are remembered by its run."""

import asyncio

import pytest

from engine import retry, step, task, wait
from runs.lifecycle import attempts
from runs.models import Journal

tries: list[int] = []


@pytest.fixture(autouse=True)
def _forget():
    tries.clear()


def ask(attempt):
    tries.append(attempt)
    if len(tries) < 4:
        raise ConnectionError(f"no {attempt}")
    return len(tries)


POLICY = {"max_attempts": 9, "min_timeout": 60, "max_timeout": 3600, "factor": 2}


def test_a_long_pause_leaves_the_worker_and_the_count_stays(trackside):
    entered = []

    @task(id="block")
    def body():
        entered.append(len(tries))
        return retry.on_throw(ask, **POLICY)

    run = trackside.run(body)
    assert run.output == 4
    assert tries == [1, 2, 3, 4]
    assert [one.seconds for one in run.waits] == [60, 120, 240]
    assert entered == [0, 1, 2, 3]
    assert len(run.attempts) == 1


def test_async_blocks_too(trackside):
    async def later(attempt):
        await asyncio.sleep(0)
        return ask(attempt)

    @task(id="block")
    async def body():
        return await retry.on_throw(later, **POLICY)

    assert trackside.run(body).output == 4
    assert tries == [1, 2, 3, 4]


def test_short_pauses_stay_in_the_worker_and_are_remembered(trackside):
    @task(id="block")
    def body():
        return retry.on_throw(ask, min_timeout=2, max_timeout=2, max_attempts=4)

    run = trackside.run(body)
    assert (run.output, run.waits) == (4, [])
    kept = Journal.objects.filter(run_id=run.id).order_by("position").values_list("args", flat=True)
    assert list(kept) == ["try 1", "try 2", "try 3", "over"]


def test_pauses_too_short_to_matter_cost_nothing(trackside):
    @task(id="block")
    def body():
        return retry.on_throw(ask, min_timeout=0.1, max_timeout=0.1, max_attempts=4)

    run = trackside.run(body)
    assert run.output == 4
    assert not Journal.objects.filter(run_id=run.id).exists()


def test_when_no_try_is_left_the_error_is_raised_and_the_next_attempt_begins_anew(trackside):
    @task(id="block", retry={"max_attempts": 2})
    def body(ctx):
        if ctx.attempt.number == 2:
            tries.append(0)
        return retry.on_throw(ask, max_attempts=2, min_timeout=60)

    run = trackside.run(body)
    assert tries == [1, 2, 0, 1]
    assert [one.error.message if one.error else "" for one in run.attempts] == ["no 2", ""]


def test_two_blocks_do_not_share_their_tries(trackside):
    first, second = [], []

    def failing(seen):
        seen.append(1)
        if len(seen) < 3:
            raise ConnectionError

    @task(id="blocks")
    def body():
        retry.on_throw(lambda: failing(first), min_timeout=60)
        retry.on_throw(lambda: failing(second), min_timeout=60)

    assert trackside.run(body).ok
    # what is no step runs again when the body comes back, once for each wait of the second
    assert (len(first), len(second)) == (5, 3)


def test_after_a_wait_that_comes_later_a_block_begins_anew(trackside):
    @task(id="block")
    def body():
        found = retry.on_throw(ask, **POLICY)
        wait("1h")
        return found

    run = trackside.run(body)
    assert (run.output, tries) == (5, [1, 2, 3, 4, 1])
    assert run.messages == []


class Died(BaseException):
    """Stands for the death of the process."""


def test_a_try_survives_a_crash(trackside, monkeypatch):
    @task(id="block")
    def body():
        return retry.on_throw(ask, max_attempts=4, min_timeout=2, max_timeout=2)

    def pause(delay):
        died.append(delay)
        if len(died) == 1:
            raise Died

    def ending(work):
        made = executed(work)
        if len(died) > 1:
            return made
        return attempts.crash(work.run_id, work.token, "TASK_PROCESS_SIGSEGV", "gone")

    died, executed = [], trackside.worker.ending
    monkeypatch.setattr("engine.sdk.retries.pause", pause)
    monkeypatch.setattr(trackside.worker, "ending", ending)
    run = trackside.run(body)
    assert [one.status for one in run.attempts] == ["CRASHED", "COMPLETED"]
    assert tries == [1, 2, 3, 4]


def test_inside_a_step_a_block_waits_in_its_process(trackside):
    @task(id="block")
    def body():
        return step("ask", lambda: retry.on_throw(ask, **POLICY))

    run = trackside.run(body)
    assert (run.output, run.waits, tries) == (4, [], [1, 2, 3, 4])
    assert [one.name for one in run.steps] == ["ask"]


def test_logs_of_what_only_repeats_are_not_doubled(trackside):
    @task(id="block")
    def body():
        print("before")
        retry.on_throw(lambda: None)
        print("between")
        wait("1h")
        retry.on_throw(ask, **POLICY)
        print("after")

    assert trackside.run(body).messages == ["before", "between", "after"]

"""A block that is tried again inside a body."""

import asyncio
import time
from typing import Any

import pytest

from engine import AbortTaskRunError, InvalidOption, TaskRunCanceled, retry, task
from engine.execution.outcomes import Canceled, Succeeded
from engine.sdk.context import executing
from tests.engine.execution.test_lifecycle import Stop
from tests.engine.support import carry_out, make_context

QUICK: Any = {"min_timeout": 0, "max_timeout": 0}


class Flaky:
    """Raises some times, then returns how often it was called."""

    def __init__(self, times, error=None):
        self.left, self.called, self.error = times, 0, error or ConnectionError("no")

    def __call__(self):
        self.called += 1
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return self.called

    async def later(self):
        await asyncio.sleep(0)
        return self()


def test_calls_until_it_does_not_raise():
    assert retry.on_throw(Flaky(2), **QUICK) == 3


def test_awaits_a_coroutine_function():
    flaky = Flaky(2)
    assert asyncio.run(retry.on_throw(flaky.later, **QUICK)) == 3


def test_a_lambda_around_a_coroutine_is_called_anew_for_each_try():
    flaky = Flaky(1)
    assert asyncio.run(retry.on_throw(lambda: flaky.later(), **QUICK)) == 2


@pytest.mark.parametrize("call", [lambda f: f(), lambda f: asyncio.run(f.later())])
def test_the_last_error_is_raised_as_it_came(call):
    error = ConnectionError("no")
    flaky = Flaky(9, error)
    with pytest.raises(ConnectionError) as raised:
        retry.on_throw(lambda: call(flaky), max_attempts=4, **QUICK)
    assert (raised.value, flaky.called) == (error, 4)


@pytest.mark.parametrize(
    ("error", "filters"),
    [
        (AbortTaskRunError("no"), {}),
        (ValueError("no"), {"only": [OSError]}),
        (ValueError("no"), {"never": ["ValueError"]}),
    ],
)
def test_some_errors_are_not_tried_again(error, filters):
    flaky = Flaky(1, error)
    with pytest.raises(type(error)):
        retry.on_throw(flaky, **QUICK, **filters)
    assert flaky.called == 1


def test_the_block_may_ask_which_try_it_is():
    def block(attempt, max_attempts):
        if attempt < 2:
            raise ValueError
        return attempt, max_attempts

    assert retry.on_throw(block, max_attempts=5, **QUICK) == (2, 5)


def test_waits_as_long_as_the_policy_says():
    began = time.monotonic()
    retry.on_throw(Flaky(2), min_timeout=0.03, factor=2, randomize=False)
    assert 0.09 <= time.monotonic() - began < 1


def test_a_canceled_run_does_not_wait_to_the_end():
    stop = Stop("cancel")

    @task(id="x")
    def body(ctx):
        assert ctx.signal  # it watches the signal, so nothing is raised into it
        stop.armed = True
        ctx._signal.abort("cancel")
        retry.on_throw(Flaky(1), min_timeout=60)

    began = time.monotonic()
    assert carry_out(body, control=stop) == Canceled()
    assert time.monotonic() - began < 5


def test_a_stop_is_no_error_to_try_again():
    def stopped():
        raise TaskRunCanceled("stop")

    with executing(make_context()), pytest.raises(TaskRunCanceled):
        retry.on_throw(stopped, min_timeout=60)


def test_in_an_async_body():
    flaky = Flaky(1)

    @task(id="x")
    async def body():
        return await retry.on_throw(flaky.later, **QUICK)

    assert carry_out(body) == Succeeded("2")


def test_wrong_options_are_refused_before_the_first_try():
    with pytest.raises(InvalidOption):
        retry.on_throw(flaky := Flaky(0), max_attempts=0)
    with pytest.raises(InvalidOption, match="no option “tries”"):
        retry.on_throw(flaky, tries=3)  # type: ignore[call-arg]
    assert flaky.called == 0

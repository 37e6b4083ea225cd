"""`usage` in a body and outside of one (features.md LG-7, MD-7)."""

import asyncio
import time

import pytest

from engine import task, usage
from runs.errors import InvalidOption
from tests.engine.support import carry_out

pytestmark = pytest.mark.once


def test_what_was_used_before_and_this_segment_add_up(fake_runtime):
    seen = []

    @task
    def body(payload):
        seen.append(usage.get_current().compute)
        time.sleep(0.03)
        seen.append(usage.get_current().compute)

    carry_out(body)
    first, then = seen
    assert 2000 <= first.attempt.duration_ms < 2030 + first.total.duration_ms - 5000
    assert first.total.duration_ms - first.attempt.duration_ms == 3000
    assert then.attempt.duration_ms - first.attempt.duration_ms >= 29
    assert fake_runtime.used == [("run_1", 1)]  # one question in a segment


def test_hooks_and_async_bodies_may_ask(fake_runtime):
    seen = []

    def asked():
        seen.append(usage.get_current().compute.total.duration_ms)

    @task(on_success=asked)
    async def body(payload):
        asked()

    carry_out(body)
    assert [ms >= 5000 for ms in seen] == [True, True]


def test_nobody_who_does_not_ask_pays(fake_runtime):
    @task
    def body(payload):
        return usage.measure(lambda: 1).result

    carry_out(body)
    assert fake_runtime.used == []


def test_a_function_is_measured_with_its_result():
    def slow():
        time.sleep(0.02)
        return "done"

    found = usage.measure(slow)
    assert found.result == "done"
    assert 20 <= found.compute.duration_ms < 1000


def test_an_async_function_is_measured():
    async def slow():
        await asyncio.sleep(0.02)
        return "done"

    async def whole():
        return await usage.measure(slow)

    found = asyncio.run(whole())
    assert found.result == "done"
    assert 19 <= found.compute.duration_ms < 1000


def test_what_a_function_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        usage.measure(lambda: 1 / 0)


def test_outside_of_a_run_nothing_is_used():
    compute = usage.get_current().compute
    assert (compute.attempt.duration_ms, compute.total.duration_ms) == (0, 0)


def test_only_functions_are_measured():
    with pytest.raises(InvalidOption, match="measure\\(\\) calls a function; got 3"):
        usage.measure(3)  # type: ignore[call-overload]

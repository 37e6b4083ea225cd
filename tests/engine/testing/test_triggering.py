"""How triggers, keys, delays and debounces meet: executed to the end under a clock that jumps."""

from datetime import timedelta

import pytest

from engine import (
    AbortTaskRunError,
    Context,
    idempotency_key,
    idempotency_keys,
    runs,
    task,
)


@pytest.fixture
def leaf():
    @task(id="leaf")
    def leaf(payload: int, ctx: Context) -> str:
        return f"{payload} {ctx.run.idempotency_key_scope}"

    return leaf


def test_a_parent_waits_through_the_delay_of_its_child(trackside, leaf):
    @task(id="parent")
    def parent() -> str:
        return leaf.trigger_and_wait(1, delay="1h").unwrap()

    began = trackside.clock.now()
    assert trackside.run(parent).output == "1 "
    assert trackside.clock.now() - began >= timedelta(hours=1)


def test_everybody_who_waits_for_a_debounced_run_gets_its_result(trackside, leaf):
    @task(id="parent")
    def parent(payload: int) -> str:
        told = {"key": "k", "delay": "1m", "mode": "trailing"}
        return leaf.trigger_and_wait(payload, debounce=told).unwrap()

    first = trackside.run(parent, 1, until="wait")
    assert trackside.run(parent, 2).output == "2 "
    trackside.finish(first)
    assert first.output == "2 "
    assert len(trackside.runs(leaf)) == 1


def test_children_outlive_a_parent_that_fails(trackside, leaf):
    @task(id="parent")
    def parent() -> None:
        leaf.trigger(1)
        raise AbortTaskRunError("no")

    assert trackside.run(parent).status == "FAILED"
    trackside.drain()
    assert [run.status for run in trackside.runs(leaf)] == ["COMPLETED"]


def test_a_parent_learns_of_a_child_that_was_canceled(trackside, leaf):
    @task(id="parent")
    def parent() -> list[object]:
        result = leaf.trigger_and_wait(1, delay="1d")
        return [result.ok, str(result.error)]

    run = trackside.run(parent, until="wait")
    runs.cancel(trackside.runs(leaf)[0].id, reason="nobody wants it")
    trackside.finish(run)
    assert run.output == [False, "CANCELED: nobody wants it"]


def test_a_run_knows_its_key_and_scope(trackside, leaf):
    @task(id="parent")
    def parent() -> list[str]:
        keys = ["k", idempotency_key("k", scope="attempt"), idempotency_key("k", scope="global")]
        return [leaf.trigger_and_wait(1, idempotency_key=key).unwrap() for key in keys]

    assert trackside.run(parent).output == ["1 run", "1 attempt", "1 global"]


def test_a_body_edits_cancels_and_forgets(trackside, leaf):
    @task(id="manager")
    def manager() -> bool:
        later = leaf.trigger(1, delay="1d", idempotency_key="k")
        runs.edit(later, payload=7, delay=None)
        runs.cancel(leaf.trigger(2, delay="1d"))
        return idempotency_keys.reset(leaf, "k")

    assert trackside.run(manager).output is True
    trackside.drain()
    first, second = trackside.runs(leaf)
    assert (first.output, second.status) == ("7 run", "CANCELED")


def test_an_async_body_does_too(trackside, leaf):
    @task(id="manager")
    async def manager() -> int:
        leaf.trigger(1, delay="1d")
        return runs.purge(task=leaf, reason="tidying up")

    assert trackside.run(manager).output == 1

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pydantic import BaseModel

from engine import SubtaskUnwrapError, batch, current, task, tasks, wait
from engine.sdk.durable import active
from engine.sdk.idempotency import idempotency_key
from runs import lifecycle
from runs.errors import InvalidPayload
from runs.models import Batch, Bucket, Journal, Queue, Ready, Run, Waiter
from tests.support.driver import Driver

calls: list[object] = []


@pytest.fixture(autouse=True)
def _forget():
    calls.clear()


class Sum(BaseModel):
    value: int


def adder(**options):
    @task(id="add", **options)
    def add(payload: list[int]) -> Sum:
        calls.append(payload)
        if payload == [13]:
            raise ValueError("unlucky")
        return Sum(value=sum(payload))

    return add


def output(run: Any) -> Any:
    return json.loads(Run.objects.get(pk=run.pk).output)


def test_a_child_is_waited_for_and_its_result_is_typed(driver: Driver):
    add = adder()

    @task
    def parent():
        result = add.trigger_and_wait([1, 2])
        assert isinstance(result.output, Sum)
        return [result.ok, result.id, result.task_id, result.output.value, result.unwrap().value]

    run = driver.finish(parent)
    child = Run.objects.get(parent_id=run.pk)
    assert output(run) == [True, child.pk, "add", 3, 3]
    assert calls == [[1, 2]]
    assert [name for name, _ in driver.segments] == [run.pk, child.pk, run.pk]
    assert not Waiter.objects.exists()


def test_a_child_that_fails_is_a_result_and_not_an_exception(driver: Driver):
    add = adder(retry={"max_attempts": 1})

    @task
    def parent():
        result = add.trigger_and_wait([13])
        with pytest.raises(SubtaskUnwrapError, match="unlucky"):
            result.unwrap()
        return [result.ok, result.output, str(result.error)]

    assert output(driver.finish(parent)) == [False, None, "FAILED: ValueError: unlucky"]


@pytest.mark.parametrize("how", ["canceled", "expired", "gone"])
def test_every_end_of_a_child_resumes_its_parent(driver: Driver, how):
    add = adder()

    @task
    def parent():
        result = add.trigger_and_wait([1], queue="closed", ttl=100)
        return [result.ok, str(result.error)]

    Queue.objects.create(name="closed", concurrency_limit=0)
    run = driver.finish(parent)
    child = Run.objects.get(parent_id=run.pk)
    assert Run.objects.get(pk=run.pk).status == "WAITING"
    if how == "canceled":
        lifecycle.cancel(child.pk, actor="user:ada", reason="Not needed any more.")
    elif how == "expired":
        with time_machine.travel(timezone.now() + timezone.timedelta(seconds=101)):
            lifecycle.expire_due()
    else:
        Run.objects.filter(pk=child.pk).delete()
        Waiter.objects.all().delete()
        lifecycle.store.current().resume([run.pk])
    driver.until_idle()
    words = {
        "canceled": "CANCELED: Not needed any more.",
        "expired": "EXPIRED: Its time to live passed before a worker could start it.",
        "gone": "DELETED",
    }
    assert output(run) == [False, words[how]]


def test_a_call_that_was_refused_is_not_taken_for_the_next_one(driver: Driver):
    add = adder()

    @task
    def parent():
        totals: list[object] = []
        for numbers in ([1], "no list", [2], [4]):
            try:
                totals.append(add.trigger_and_wait(numbers).unwrap().value)  # type: ignore[arg-type]
            except InvalidPayload:
                totals.append("refused")
        return totals

    assert output(driver.finish(parent)) == [1, "refused", 2, 4]
    assert calls == [[1], [2], [4]]


@pytest.mark.parametrize("first", [["x"], ["x" * 700]])
def test_a_payload_that_changed_meanwhile_is_told(driver: Driver, first):
    @task(id="echo")
    def echo(payload: list[str]) -> list[str]:
        return payload

    words = iter([first, ["y"]])

    @task
    def parent():
        said = echo.trigger_and_wait(next(words)).unwrap()
        wait(3600)
        return said

    run = driver.finish(parent)
    assert run.status == "WAITING"
    assert Journal.objects.get(kind="warning").name == "child:echo"


def test_a_failed_child_is_triggered_again_by_the_next_attempt(driver: Driver):
    add = adder(retry={"max_attempts": 1})

    @task(retry={"max_attempts": 2, "min_timeout": 0, "randomize": False})
    def parent(payload, ctx):
        good = add.trigger_and_wait([1]).unwrap()
        bad = add.trigger_and_wait([13])
        if ctx.attempt.number == 1:
            raise ValueError("again")
        return [good.value, bad.ok]

    run = driver.finish(parent)
    driver.due()
    assert output(run) == [1, False]
    assert calls == [[1], [13], [13]]


def test_a_child_of_a_lost_attempt_is_found_again(driver: Driver):
    add = adder()

    @task(retry={"max_attempts": 2, "min_timeout": 0, "randomize": False})
    def parent(payload, ctx):
        if ctx.attempt.number == 1:
            replay_of_now().pause = None
        try:
            return add.trigger_and_wait([1]).output.value
        finally:
            if ctx.attempt.number == 1:
                raise ValueError("lost right after the trigger")

    run = driver.finish(parent)
    driver.due()
    assert output(run) == 1
    assert calls == [[1]]
    assert Run.objects.filter(parent_id=run.pk).count() == 1


def replay_of_now():
    return active()


def test_a_batch_gives_results_in_its_order(driver: Driver):
    add = adder(retry={"max_attempts": 1})

    @task
    def parent():
        batch = add.batch_trigger_and_wait([{"payload": [n]} for n in (3, 13, 1)])
        return [batch.id, batch.ok, [run.ok and run.output.value for run in batch.runs]]

    run = driver.finish(parent)
    batch_id, ok, values = output(run)
    assert (ok, values) == (False, [3, False, 1])
    assert Run.objects.filter(batch_id=batch_id).count() == 3
    assert len([1 for name, _ in driver.segments if name == run.pk]) == 2


def test_a_batch_over_several_tasks(driver: Driver):
    add = adder()

    @task(id="echo")
    def echo(payload):
        return payload

    @task
    def parent():
        items = [{"task": add, "payload": [1]}, {"task": "echo", "payload": "hi"}]
        return [run.task_id for run in tasks.batch_trigger_and_wait(items).runs]

    assert output(driver.finish(parent)) == ["add", "echo"]


def test_an_empty_batch_is_over_at_once(driver: Driver):
    add = adder()

    @task
    def parent():
        return add.batch_trigger_and_wait([]).unwrap()

    assert output(driver.finish(parent)) == []


def test_a_batch_with_one_bad_item_makes_no_run(driver: Driver):
    add = adder()

    @task
    def parent():
        add.batch_trigger_and_wait([{"payload": [1]}, {"payload": "x"}])

    run = driver.finish(parent)
    assert "Item 1" in run.error
    assert not Run.objects.filter(parent_id=run.pk).exists()


def test_a_key_finds_an_earlier_run_and_its_result_at_once(driver: Driver):
    add = adder()
    key = idempotency_key("once", scope="global")

    @task
    def parent():
        return [add.trigger_and_wait([1], idempotency_key=key).output.value for _ in range(2)]

    run = driver.finish(parent)
    assert output(run) == [1, 1]
    assert calls == [[1]]


def test_a_key_twice_in_one_batch_resolves_both(driver: Driver):
    add = adder()
    item = {"payload": [1], "options": {"idempotency_key": "same"}}

    @task
    def parent():
        return [run.output.value for run in add.batch_trigger_and_wait([item, item]).runs]

    assert output(driver.finish(parent)) == [1, 1]


def test_nobody_waits_for_a_run_that_waits_for_him(driver: Driver):
    key = idempotency_key("circle", scope="global")

    @task(id="circle")
    def circle():
        return tasks.trigger_and_wait("circle", idempotency_key=key).ok

    run_id = driver.trigger(circle, idempotency_key=key.text)
    driver.until_idle()
    run = Run.objects.get(pk=run_id)
    assert run.status == "FAILED"
    assert "for ever" in run.error


def test_deep_chains_with_limit_one_each_never_deadlock(driver: Driver):
    names = [f"level-{depth}" for depth in range(6)]

    def level(depth):
        @task(id=names[depth], queue={"name": "narrow", "concurrency_limit": 1})
        def body():
            if depth + 1 == len(names):
                return 1
            return 1 + tasks.trigger_and_wait(names[depth + 1]).unwrap()

        return body

    Queue.objects.create(name="narrow", concurrency_limit=1)
    levels = [level(depth) for depth in range(len(names))]
    assert output(driver.finish(levels[0])) == 6


def test_awaited_children_go_before_runs_that_came_later(driver: Driver):
    add = adder()

    @task
    def parent():
        return add.trigger_and_wait([1]).ok

    run_id = driver.trigger(parent)
    later = driver.trigger(add, "[2]")
    Bucket.objects.exclude(pk=Ready.objects.get(pk=run_id).bucket_id).update(served=1)
    driver.segment()
    child = Run.objects.get(parent_id=run_id)
    assert child.sort_key < Run.objects.get(pk=later).sort_key


def test_a_cancel_reaches_the_children(driver: Driver):
    add = adder()

    @task
    def parent():
        add.trigger_and_wait([1])

    run_id = driver.trigger(parent)
    driver.segment()
    lifecycle.cancel(run_id, actor="user:ada")
    assert set(Run.objects.values_list("status", flat=True)) == {"CANCELED"}
    assert not Waiter.objects.exists()


def test_runs_triggered_before_a_wait_are_not_triggered_again(driver: Driver):
    add = adder()

    @task
    def parent():
        handles = [add.trigger([1]).id, *(h.id for h in add.batch_trigger([{"payload": [2]}]))]
        calls.append(handles)
        wait(60)
        calls.append(add.trigger([3]).id)

    run = driver.finish(parent)
    with time_machine.travel(timezone.now() + timezone.timedelta(seconds=61), tick=True):
        driver.due()
    assert Run.objects.filter(parent_id=run.pk).count() == 3
    handles = [one for one in calls if isinstance(one, list) and isinstance(one[0], str)]
    assert handles[0] == handles[1]


def test_all_waits_for_runs_that_were_triggered_before(driver: Driver):
    add = adder()

    @task
    def parent():
        handles = [add.trigger([number]) for number in (1, 2)]
        return [result.unwrap().value for result in wait.all(handles)]

    assert output(driver.finish(parent)) == [1, 2]


def test_any_resolves_with_the_first_and_remembers_which(driver: Driver):
    add = adder()
    Queue.objects.create(name="closed", concurrency_limit=0)

    @task
    def parent():
        slow, quick = add.trigger([1], queue="closed"), add.trigger([2])
        first = wait.any([slow, quick])
        wait(60)
        return [first.index, first.result.unwrap().value]

    run = driver.finish(parent)
    Queue.objects.filter(name="closed").update(concurrency_limit=None, full=False)
    driver.until_idle()
    assert Run.objects.get(pk=run.pk).status == "WAITING"
    with time_machine.travel(timezone.now() + timezone.timedelta(seconds=61), tick=True):
        driver.due()
    assert output(run) == [1, 2]


def test_what_is_waited_for_has_its_parents_version(driver: Driver):
    add = adder()

    @task
    def parent():
        add.trigger_and_wait([1], version="v1")

    assert "leave version out" in driver.finish(parent).error


@pytest.mark.parametrize("sources", [["nonsense"], [5], [None]])
def test_only_runs_and_tokens_can_be_waited_for(driver: Driver, sources):
    @task
    def parent():
        wait.all(sources)

    assert "InvalidOption" in driver.finish(parent).error


@pytest.mark.parametrize("sources", [None, 5, "run_1", {"token": 1}])
@pytest.mark.parametrize("wait_for", [wait.all, wait.any])
def test_what_is_no_list_cannot_be_waited_for(driver: Driver, wait_for, sources):
    @task
    def parent():
        wait_for(sources)

    error = json.loads(driver.finish(parent).error)
    assert error["name"] == "InvalidOption"
    assert "takes a list of handles of trigger() and wait tokens" in error["message"]


def test_any_of_nothing_is_refused(driver: Driver):
    @task
    def parent():
        wait.any([])

    assert "InvalidOption" in driver.finish(parent).error


def test_a_batch_is_one_load_and_one_write_whatever_its_size(driver: Driver):
    """Linear: statements of a segment do not grow with the children."""
    add = adder()

    @task
    def parent(payload):
        return len(add.batch_trigger_and_wait([{"payload": [n]} for n in range(payload)]).runs)

    counts = []
    for size in (10, 100):
        driver.trigger(parent, str(size))
        with CaptureQueriesContext(connection) as queries:
            driver.segment()
        counts.append(len(queries))
        driver.until_idle()
    assert counts[1] - counts[0] <= 4
    assert Journal.objects.count() == 110


def test_a_batch_that_is_waited_for_is_on_record(driver: Driver):
    add = adder(retry={"max_attempts": 1})

    @task(retry={"max_attempts": 2, "min_timeout": 0})
    def parent(payload):
        done = add.batch_trigger_and_wait([{"payload": [n]} for n in (1, 13)])
        if current().attempt.number == 1:
            raise ValueError("again")
        return done.id

    run = driver.finish(parent)
    driver.due()
    stored = Batch.objects.get(pk=output(run))
    # the second attempt makes the child that failed again
    assert (stored.run_id, stored.awaited, stored.run_count) == (run.pk, True, 3)


def test_a_batch_of_a_body_is_the_same_after_a_wait(driver: Driver):
    add = adder()

    @task
    def parent(payload):
        first = add.batch_trigger([{"payload": [1]}, {"payload": [2]}])
        wait(seconds=60)
        second = add.batch_trigger([{"payload": [3]}])
        return [first.id, second.id, batch.retrieve(first.id).run_count]

    run = driver.finish(parent)
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=True):
        driver.due()
    first, second, count = output(run)
    assert sorted(Batch.objects.values_list("pk", flat=True)) == sorted([first, second])
    assert count == 2

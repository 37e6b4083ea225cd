import asyncio
import json
from dataclasses import dataclass

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from engine import CannotWaitHere, StepFailed, metadata, step, task, wait
from engine.sdk import replay
from runs.models import Journal, Lease, Run, Task
from runs.states import EntryKind
from tests.support.driver import Driver

calls: list[object] = []


@pytest.fixture(autouse=True)
def _forget():
    calls.clear()


class OutOfStock(Exception):
    pass


def note(value):
    calls.append(value)
    return value


def go_on(driver: Driver) -> None:
    """A minute passes."""
    with time_machine.travel(timezone.now() + timezone.timedelta(seconds=61), tick=True):
        driver.due()


def message(run) -> str:
    return str(json.loads(run.error)["message"])


def warnings() -> list[dict[str, object]]:
    found = Journal.objects.filter(kind=EntryKind.WARNING)
    return [{"name": one.name, **json.loads(one.result)} for one in found]


def test_a_step_runs_once_however_often_the_body_runs(driver: Driver):
    @task
    def two_steps():
        first = step("first", note, [1, "a"])
        wait(60)
        return [first, step("second", note, 2)]

    run = driver.finish(two_steps)
    go_on(driver)
    assert json.loads(Run.objects.get(pk=run.pk).output) == [[1, "a"], 2]
    assert calls == [[1, "a"], 2]


def test_success_is_remembered_across_retries_and_failure_is_not(driver: Driver):
    @task(retry={"max_attempts": 3, "min_timeout": 0, "randomize": False})
    def shaky(payload, ctx):
        step("good", note, "good")

        def bad():
            note("bad")
            if ctx.attempt.number < 3:
                raise OutOfStock("apples")

        step("bad", bad)
        return ctx.attempt.number

    run = driver.finish(shaky)
    for _ in range(2):
        driver.due()
    assert Run.objects.get(pk=run.pk).output == "3"
    assert calls == ["good", "bad", "bad", "bad"]


def test_within_its_attempt_a_failure_is_the_same_again(driver: Driver):
    @task
    def caught():
        try:
            step("order", fail)
        except OutOfStock as error:
            wait(60)
            return error.args[0]

    def fail():
        note("tried")
        raise OutOfStock("apples")

    run = driver.finish(caught)
    go_on(driver)
    assert Run.objects.get(pk=run.pk).output == '"apples"'
    assert calls == ["tried"]


def test_an_exception_that_cannot_be_made_again_is_told(driver: Driver):
    class Local(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    @task
    def caught():
        try:
            step("order", fail)
        except Exception as error:
            wait(60)
            return [type(error).__name__, str(error)]

    def fail():
        raise Local({1, 2}, 3)

    run = driver.finish(caught)
    go_on(driver)
    name, text = json.loads(Run.objects.get(pk=run.pk).output)
    assert name == StepFailed.__name__
    assert text.startswith("Local: {1, 2} and 3")


def test_steps_of_one_name_are_told_apart_by_their_number(driver: Driver):
    @task
    def loop():
        found = [step("n", note, number) for number in range(3)]
        wait(60)
        return found

    run = driver.finish(loop)
    go_on(driver)
    assert Run.objects.get(pk=run.pk).output == "[0,1,2]"
    assert calls == [0, 1, 2]


def test_a_step_answers_alike_at_first_and_again(driver: Driver):
    """What it returns is what was recorded, in the type its annotation names."""

    @dataclass
    class Point:
        x: int

    def typed() -> Point:
        return Point(1)

    typed.__annotations__["return"] = Point

    @task
    def types():
        found = [step("typed", typed).x, step("tuple", lambda: (1, 2))]
        calls.append(found)
        wait(60)

    driver.finish(types)
    go_on(driver)
    assert calls == [[1, [1, 2]]] * 2


def test_a_step_has_a_key_for_outside_services(driver: Driver):
    @task(retry={"max_attempts": 2, "min_timeout": 0, "randomize": False})
    def charge(payload, ctx):
        def pay():
            note(step.idempotency_key)
            if ctx.attempt.number == 1:
                raise OutOfStock

        step("pay", pay)

    run = driver.finish(charge)
    driver.due()
    assert calls == [f"{run.pk}-pay-1"] * 2


def test_outside_of_a_step_there_is_no_key():
    with pytest.raises(CannotWaitHere, match="outside of a step"):
        _ = step.idempotency_key


@pytest.mark.parametrize("name", ["", None, "a" * 257, "new\nline"])
def test_refuses_what_is_no_name(driver: Driver, name):
    @task
    def wrong():
        step(name, note, 1)

    assert "printable text" in driver.finish(wrong).error


def test_a_result_without_json_form_fails_by_name(driver: Driver):
    @task
    def wrong():
        step("load", lambda: object())

    assert "“load” cannot be recorded" in message(driver.finish(wrong))


def test_steps_do_not_nest_and_do_not_wait(driver: Driver):
    @task(id="nested")
    def nested():
        step("outer", lambda: step("inner", note, 1))

    @task(id="waiting")
    def waiting():
        step("outer", lambda: wait(60))

    for body in (nested, waiting):
        run = driver.finish(body)
        assert run.status == "FAILED"
        assert "inside step “outer”" in message(run)


def test_a_step_of_an_async_function_is_awaited(driver: Driver):
    async def slow(value):
        await asyncio.sleep(0)
        return note(value)

    @task
    async def body():
        found = await asyncio.gather(step("a", slow, 1), step("b", slow, 2))
        await wait(60)
        return found

    run = driver.finish(body)
    go_on(driver)
    assert Run.objects.get(pk=run.pk).output == "[1,2]"
    assert calls == [1, 2]


@pytest.mark.parametrize("how", ["gather", "thread", "task"])
def test_waits_beside_the_body_are_refused_by_name(driver: Driver, how):
    async def one():
        wait(60)

    @task
    async def body():
        if how == "gather":
            await asyncio.gather(one(), one())
        elif how == "thread":
            await asyncio.to_thread(wait, 60)
        else:
            await asyncio.create_task(one())

    run = driver.finish(body)
    assert run.status == "FAILED"
    told = json.loads(run.error)
    assert told["name"] == "CannotWaitHere"
    assert ("another thread" if how == "thread" else "wait.all([...])") in told["message"]


def test_a_wait_in_an_open_transaction_is_refused(driver: Driver, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(replay, "is_in_transaction", lambda: True)

    @task
    def body():
        with transaction.atomic():
            wait(60)

    run = driver.finish(body)
    assert run.status == "FAILED"
    assert "open database transaction" in run.error


def test_outside_of_a_run_it_says_where_it_works():
    with pytest.raises(CannotWaitHere, match="in the body of a run only"):
        wait(60)
    with pytest.raises(CannotWaitHere, match="in the body of a run only"):
        step("a", note, 1)


def test_an_atomic_step_is_one_transaction_with_its_record(driver: Driver):
    @task(retry={"max_attempts": 2, "min_timeout": 0, "randomize": False})
    def body(payload, ctx):
        def write():
            note(Task.objects.filter(id="made").count())
            Task.objects.create(id="made", queue="x", registered_at=timezone.now())
            if ctx.attempt.number == 1:
                raise OutOfStock

        step("write", write, atomic=True)
        return Task.objects.filter(id="made").count()

    run = driver.finish(body)
    driver.due()
    assert Run.objects.get(pk=run.pk).output == "1"
    assert calls == [0, 0]


def test_an_atomic_step_of_a_lost_run_changes_nothing(driver: Driver):
    @task
    def body():
        Lease.objects.all().delete()
        step("write", lambda: Task.objects.filter(id="body").update(version="9"), atomic=True)

    driver.finish(body)
    assert not Task.objects.filter(version="9").exists()


def test_a_step_of_a_lost_run_is_not_recorded_and_ends_the_body(driver: Driver):
    @task
    def body():
        Lease.objects.all().delete()
        step("one", note, 1)
        note("went on")

    driver.finish(body)
    assert calls == [1]
    assert not Journal.objects.exists()


def test_changed_arguments_are_a_warning_with_both_values(driver: Driver):
    @task
    def body():
        amount = len(calls)
        step("charge", note, amount)
        wait(60)
        return step("charge", note, "x")

    run = driver.finish(body)
    go_on(driver)
    assert Run.objects.get(pk=run.pk).status == "COMPLETED"
    assert warnings() == [{"name": "step:charge", "was": "[[0],{}]", "now": "[[1],{}]"}]


def test_what_is_not_reached_any_more_is_a_warning(driver: Driver):
    @task
    def body():
        if not calls:
            step("gone", note, 1)
        wait(60)

    driver.finish(body)
    go_on(driver)
    assert warnings() == [{"name": "step:gone", "was": "recorded", "now": None}]


def test_a_changed_sequence_is_tolerated(driver: Driver):
    @task
    def body():
        first = not calls
        if not first:
            step("new", note, "new")
        step("old", note, "old")
        wait(60)

    run = driver.finish(body)
    go_on(driver)
    assert Run.objects.get(pk=run.pk).status == "COMPLETED"
    assert calls == ["old", "new"]


def test_prints_of_code_that_repeats_are_not_logged_again(driver: Driver):
    @task
    def body():
        print("one")
        step("a", note, 1)
        print("two")
        wait(60)
        print("three")
        step("b", note, 2)
        print("four")

    driver.finish(body)
    go_on(driver)
    assert driver.logs.messages == ["one", "two", "three", "four"]


@pytest.mark.django_db(transaction=True)
def test_metadata_of_code_that_repeats_is_not_changed_again(driver: Driver):
    @task
    def body():
        metadata.increment("before")
        step("a", note, 1)
        metadata.increment("between")
        wait(60)
        metadata.increment("after")

    run = driver.finish(body)
    go_on(driver)
    found = json.loads(Run.objects.get(pk=run.pk).metadata)
    assert found == {"before": 1, "between": 1, "after": 1}

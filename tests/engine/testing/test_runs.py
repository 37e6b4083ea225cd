"""What `trackside.run` executes, and what a test sees of it."""

import asyncio
import logging
from dataclasses import dataclass

import pytest
from django.db import transaction
from pydantic import BaseModel

from engine import (
    AbortTaskRunError,
    InvalidPayload,
    LocalKey,
    OutOfMemoryError,
    current,
    hooks,
    logger,
    metadata,
    queue,
    retry,
    step,
    tags,
    task,
    tasks,
    wait,
)
from engine.registry import registry
from engine.testing import TracksideError
from runs import lifecycle
from runs.models import Run, Source


class Order(BaseModel):
    id: int
    count: int = 1


@dataclass
class Receipt:
    total: int


def test_a_run_is_executed_with_everything_a_test_may_ask_for(trackside):
    @task(id="charge", tags="billing")
    def charge(payload: Order, ctx) -> Receipt:
        logger.info("charging", order=payload.id)
        logging.getLogger("shop").warning("careful")
        print("printed")
        metadata.set("progress", 1)
        tags.add("done")
        return Receipt(payload.count * 10)

    run = trackside.run(charge, Order(id=7, count=3))
    assert run.ok
    assert run.status == "COMPLETED"
    assert run.output == Receipt(30)
    assert run.unwrap() == Receipt(30)
    assert run.payload == {"id": 7, "count": 3}
    assert run.error is None
    assert [(one.number, one.status, one.error) for one in run.attempts] == [(1, "COMPLETED", None)]
    assert run.messages == ['charging {"order": 7}', "careful", "printed"]
    assert [line.level for line in run.logs] == [logging.INFO, logging.WARNING, logging.INFO]
    assert run.metadata == {"progress": 1}
    assert set(run.tags) == {"billing", "done"}
    assert (run.steps, run.waits, run.children, run.waiting_for) == ([], [], [], None)
    assert "charge" in repr(run)
    assert "COMPLETED" in repr(run)


def test_async_tasks_are_executed_too(trackside):
    @task
    async def double(payload: int) -> int:
        return payload * 2

    assert trackside.run(double, 21).output == 42


def test_hooks_and_middleware_are_called_as_in_production(trackside):
    called = []

    def around(call_next):
        called.append("in")
        call_next()
        called.append("out")

    @hooks.on_success
    def globally():
        called.append("global")

    @task(middleware=around, on_success=lambda output: called.append(output))
    def body():
        called.append("body")
        return "done"

    trackside.run(body)
    assert called == ["in", "body", "global", "done", "out"]


def test_failed_attempts_are_retried_at_once_with_their_delays_on_record(trackside):
    @task(retry=retry(max_attempts=4, min_timeout=2, factor=3))
    def flaky(payload, ctx) -> int:
        if ctx.attempt.number < 4:
            raise ConnectionError(f"no {ctx.attempt.number}")
        return ctx.attempt.number

    before = trackside.clock.now()
    run = trackside.run(flaky)
    assert run.output == 4
    told = [(one.number, one.status, one.retry_delay) for one in run.attempts]
    assert told == [
        (1, "FAILED", 2.0), (2, "FAILED", 6.0), (3, "FAILED", 18.0), (4, "COMPLETED", None)
    ]  # fmt: skip
    assert [one.error and one.error.message for one in run.attempts] == [
        "no 1", "no 2", "no 3", None
    ]  # fmt: skip
    assert 26 <= (trackside.clock.now() - before).total_seconds() < 30


def test_a_failure_says_why(trackside):
    failures = []

    @task(retry={"max_attempts": 1}, on_failure=lambda error: failures.append(str(error)))
    def broken(payload):
        logger.info("so far so good")
        raise ValueError("no such row")

    run = trackside.run(broken)
    assert (run.ok, run.status, run.output) == (False, "FAILED", None)
    assert (run.error.name, run.error.message) == ("ValueError", "no such row")
    assert failures == ["no such row"]
    with pytest.raises(TracksideError, match=r"(?s)broken.*FAILED.*raise ValueError"):
        run.unwrap()
    assert "so far so good" in run.report()
    assert "no such row" in run.report()


def test_what_is_not_retried_is_not(trackside):
    @task
    def gives_up(payload):
        raise AbortTaskRunError("no such customer")

    assert len(trackside.run(gives_up).attempts) == 1


def test_a_larger_machine_is_tried(trackside):
    @task(retry=retry(out_of_memory={"machine": "large-1x"}))
    def hungry(payload, ctx) -> str:
        if ctx.machine.name != "large-1x":
            raise OutOfMemoryError("too small")
        return ctx.machine.name

    assert trackside.run(hungry).output == "large-1x"


def test_the_body_gets_what_the_schema_makes_of_the_payload_and_the_run_keeps_it_raw(trackside):
    class Prompt(BaseModel):
        words: int = 20

    @task
    def write(payload: Prompt):
        return payload.words + 1

    run = trackside.run("write", {"unknown": 1})
    assert (run.output, run.row.payload) == (21, '{"unknown":1}')


def test_locals_begin_anew_when_the_body_does(trackside):
    place, seen = LocalKey[str]("place"), []

    def around(next):  # noqa: A002  the hook's parameter
        place.set("middleware")
        next()

    @task(middleware=around, on_start_attempt=lambda: place.set("hook"))
    def body():
        seen.append(place.get())
        wait(hours=1)

    assert trackside.run(body).ok
    assert seen == ["hook", "middleware"]


def test_an_invalid_payload_makes_no_run(trackside):
    @task(id="charge")
    def charge(payload: Order): ...

    with pytest.raises(InvalidPayload):
        trackside.run(charge, {"id": "seven"})
    assert trackside.runs() == []


def test_options_of_the_trigger_count(trackside):
    @task(id="facts")
    def facts(payload, ctx) -> list:
        return [ctx.run.tags, ctx.run.max_attempts, ctx.queue.name, ctx.run.is_test]

    queue("urgent")
    run = trackside.run(facts, tags=["a"], max_attempts=7, test=True)
    assert run.output == [["a"], 7, "task/facts", True]
    first = trackside.run(facts, idempotency_key="once")
    assert trackside.run(facts, idempotency_key="once") == first


def test_a_delay_is_jumped_over(trackside):
    @task
    def later(): ...

    before = trackside.clock.now()
    assert trackside.run(later, delay="2h").ok
    assert (trackside.clock.now() - before).total_seconds() >= 7200


def test_tasks_run_by_id(trackside):
    @task(id="by-id")
    def body(payload):
        return payload

    assert trackside.run("by-id", {"a": 1}).output == {"a": 1}


def test_an_unknown_task_says_what_to_do(trackside):
    @task(id="known")
    def known(): ...

    with pytest.raises(Exception, match=r"No task “unknown”.*stub.*Known: known") as refusal:
        trackside.run("unknown")
    assert refusal.value.option == "task"


def test_a_run_whose_task_is_gone_says_so(trackside):
    @task(id="gone")
    def body(): ...

    run = trackside.trigger(body)
    registry.clear()
    with pytest.raises(TracksideError, match="no task “gone”"):
        trackside.finish(run)


def test_runs_that_other_code_made_go_on_once_their_task_is_known(trackside):
    made = lifecycle.trigger("of-the-api", None, source=Source.API)
    assert made.run_id
    with pytest.raises(TracksideError, match=r"No task “of-the-api” is known.*stub"):
        trackside.finish(trackside.runs("of-the-api")[0])

    @task(id="of-the-api")
    def body():
        return "done"

    assert trackside.finish(trackside.runs(body)[0]).output == "done"


def test_children_are_executed_in_their_parents(trackside):
    @task
    def leaf(payload: int) -> int:
        return payload * 10

    @task
    def branch(payload: int) -> int:
        return leaf.trigger_and_wait(payload).unwrap() + 1

    @task
    def tree(payload: list[int]) -> list[int]:
        leaf.trigger(0)
        found = branch.batch_trigger_and_wait([{"payload": number} for number in payload])
        return [run.output for run in found.runs]

    run = trackside.run(tree, [1, 2])
    assert run.output == [11, 21]
    assert [child.task_id for child in run.children] == ["leaf", "branch", "branch"]
    assert [child.output for child in run.children[1].children] == [10]
    assert [one.type for one in run.waits] == ["batch"]


def test_steps_are_on_record(trackside):
    counted = []

    def charge():
        counted.append(1)
        if len(counted) == 1:
            raise ConnectionError("down")
        return {"paid": 30}

    @task(retry={"max_attempts": 2})
    def pay():
        step("reserve", lambda: "r1")
        return step("charge", charge)["paid"]

    run = trackside.run(pay)
    assert run.output == 30
    told = [(one.name, one.ok, one.output, one.error, one.attempt) for one in run.steps]
    assert told == [
        ("reserve", True, "r1", "", 1),
        ("charge", False, None, "ConnectionError: down", 1),
        ("charge", True, {"paid": 30}, "", 2),
    ]
    assert run.step("charge").output == {"paid": 30}
    with pytest.raises(TracksideError, match=r"no step “refund”.*reserve, charge"):
        run.step("refund")


def test_what_the_tested_code_triggers_is_seen_and_not_executed(trackside):
    @task(id="mail")
    def mail(payload: dict) -> str:
        return f"to {payload['to']}"

    def sign_up():
        mail.trigger({"to": "ada"})
        mail.trigger({"to": "ben"})

    sign_up()
    assert trackside.triggered(mail, {"to": "ada"}).status == "QUEUED"
    with pytest.raises(TracksideError, match=r"0 runs of mail.*eve.*'ada'"):
        trackside.triggered(mail, {"to": "eve"})
    with pytest.raises(TracksideError, match="2 runs of mail"):
        trackside.triggered("mail")
    assert trackside.drain() == 2
    assert [run.output for run in trackside.runs(mail)] == ["to ada", "to ben"]


def test_a_stub_stands_in_for_a_task(trackside):
    @task(id="resize", on_success=lambda: pytest.fail("a stub has no hooks"))
    def resize(payload: dict) -> str:
        pytest.fail("the body was executed")

    @task
    def album(payload: list[str]) -> list:
        found = resize.batch_trigger_and_wait([{"payload": {"url": url}} for url in payload])
        foreign = tasks.trigger_and_wait("of-another-service", {"a": 1})
        return [[run.ok for run in found.runs], foreign.output]

    stub = trackside.stub(resize, returns="small.png")
    trackside.stub("of-another-service", does=lambda payload: payload["a"] + 1)
    assert trackside.run(album, ["x", "y"]).output == [[True, True], 2]
    assert stub.calls == [{"url": "x"}, {"url": "y"}]
    assert stub.call_count == 2


@pytest.mark.parametrize(
    ("raises", "name"),
    [(ValueError("no"), "ValueError"), ("no", "RuntimeError"), (OSError, "OSError")],
)
def test_a_stub_may_fail(trackside, raises, name):
    @task(id="child", on_failure=lambda: pytest.fail("a stub has no hooks"))
    def child(): ...

    @task
    def parent():
        return child.trigger_and_wait().error.name

    trackside.stub(child, raises=raises)
    run = trackside.run(parent)
    assert run.output == name
    assert len(run.children[0].attempts) == 1


def test_a_stub_takes_one_thing_to_do(trackside):
    with pytest.raises(TracksideError, match="one of returns=, raises= and does="):
        trackside.stub("x", returns=1, raises="no")


def test_a_run_can_be_canceled_in_its_body(trackside):
    ended = []

    @task(on_cancel=lambda run: ended.append("on_cancel"))
    def long():
        try:
            trackside.cancel()
            ended.append("went on")
        finally:
            ended.append("finally")

    run = trackside.run(long)
    assert run.status == "CANCELED"
    assert ended == ["finally", "on_cancel"]


def test_an_async_body_can_be_canceled_too(trackside):
    @task
    async def long() -> str:
        trackside.cancel()
        await asyncio.sleep(60)
        return "went on"

    run = trackside.run(long)
    assert (run.status, run.output, len(run.attempts)) == ("CANCELED", None, 1)


def test_a_run_can_be_canceled_before_it_starts(trackside):
    ended = []

    @task(id="late", on_cancel=lambda run: ended.append(run.error.status))
    def late(): ...

    run = trackside.trigger(late, delay="1h")
    trackside.cancel(run)
    assert run.status == "CANCELED"
    assert ended == ["CANCELED"]


def test_a_run_can_run_out_of_its_time(trackside):
    ended = []

    @task(on_failure=lambda error: ended.append(error.code))
    async def long():
        trackside.time_out()
        await asyncio.sleep(60)

    run = trackside.run(long)
    assert (run.status, run.error.code) == ("TIMED_OUT", "MAX_DURATION_EXCEEDED")
    assert ended == ["MAX_DURATION_EXCEEDED"]


def test_what_belongs_into_a_body_is_refused_outside(trackside):
    for call in (trackside.cancel, trackside.time_out):
        with pytest.raises(TracksideError, match="while a body executes"):
            call()


def test_a_paused_queue_is_named(trackside):
    @task(id="idle", queue="slow")
    def idle(): ...

    trackside.trigger(idle)
    lifecycle.pause("slow", actor="user:ada")
    with pytest.raises(TracksideError, match=r"queues are paused: slow"):
        trackside.run(idle)


def test_a_coroutine_test_is_refused(trackside):
    @task
    def body(): ...

    async def test():
        trackside.run(body)

    with pytest.raises(TracksideError, match="plain function"):
        asyncio.run(test())


def test_what_follows_a_commit_follows(trackside):
    """Django's TestCase never commits."""
    told = []

    @task
    def body():
        with transaction.atomic():
            transaction.on_commit(lambda: told.append(current() is not None))
        return Run.objects.count()

    assert trackside.run(body).ok
    assert told == [False]


@pytest.mark.parametrize("number", [1, 2])
def test_tests_do_not_see_each_other(trackside, number):
    @task(id="same")
    def same():
        return number

    hooks.on_success(lambda: None)
    assert trackside.run(same).output == number
    assert len(trackside.runs()) == 1
    assert len(list(hooks.of_kind("on_success"))) == 1

"""Attempts that share an event loop: each is as it would be alone."""

import asyncio
import gc
import logging
import threading
import time
from contextvars import ContextVar

import pytest
from asgiref.sync import sync_to_async

from engine import current, logger, retry, span, step, task, wait
from engine.execution import sharing, watching
from engine.execution.outcomes import Canceled, Failed, Interrupted, Succeeded, Suspended
from engine.sdk.replay import Replay
from runs.states import RunStatus
from runs.tracing import attempt_span_id
from tests.engine.support import Company, Notebook


@pytest.fixture
def company():
    return Company()


async def until(holds):
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


def test_they_execute_at_once(company):
    inside, everybody = [], 20

    @task
    async def meet():
        inside.append(current().run.id)
        await until(lambda: len(inside) == everybody)
        return current().run.id

    for _ in range(everybody):
        company.add(meet)
    assert company.run() == [Succeeded(f'"run_{number}"') for number in range(everybody)]


def test_each_has_its_own_lines(company):
    here = []

    @task
    async def talk(payload):
        here.append(payload)
        await until(lambda: len(here) == 2)
        print("printed", payload)
        logging.getLogger("body").warning("logged %s", payload)
        logger.info("told", name=payload)
        await asyncio.to_thread(print, "from a thread", payload)
        await asyncio.gather(said(payload), said(payload))

    async def said(payload):
        await asyncio.sleep(0)
        print("beside", payload)

    company.add(talk, '"a"').add(talk, '"b"').run()
    for number, name in enumerate("ab"):
        assert company.messages(number) == [
            f"printed {name}",
            f"logged {name}",
            f'told {{"name": "{name}"}}',
            f"from a thread {name}",
            f"beside {name}",
            f"beside {name}",
        ]


def test_each_has_its_own_spans(company):
    here = []

    async def around(next):  # noqa: A002  the name authors use
        await next()

    @task(middleware=around)
    async def traced(payload):
        here.append(payload)
        await until(lambda: len(here) == 2)
        with span("outer"):
            await asyncio.gather(inner(payload), asyncio.to_thread(span("thread")(print)))

    async def inner(payload):
        with span(f"inner {payload}"):
            await asyncio.sleep(0.01)

    company.add(traced, '"a"').add(traced, '"b"').run()
    for number, name in enumerate("ab"):
        found = company.sinks[number].ended
        assert set(found) == {"middleware", "outer", f"inner {name}", "thread"}
        assert found["outer"].parent_id == found["middleware"].span_id
        assert found[f"inner {name}"].parent_id == found["outer"].span_id
        assert found["thread"].parent_id == found["outer"].span_id
        assert found["middleware"].parent_id == attempt_span_id(f"run_{number}", 1)


def test_hooks_are_called_around_each(company):
    told = []

    def plain(ctx):
        told.append(("plain", ctx.run.id, threading.current_thread()))

    async def later(ctx):
        await asyncio.sleep(0)
        told.append(("later", ctx.run.id, threading.current_thread()))

    async def around(ctx, next):  # noqa: A002  the name authors use
        await next()
        told.append(("around", ctx.run.id, threading.current_thread()))

    @task(middleware=around, on_start_attempt=plain, on_success=later)
    async def hooked():
        await asyncio.sleep(0.01)

    assert company.add(hooked).add(hooked).run() == [Succeeded(None)] * 2
    for run_id in ("run_0", "run_1"):
        assert [what for what, of, _ in told if of == run_id] == ["plain", "later", "around"]
    loop = threading.current_thread()
    assert {thread is loop for what, _, thread in told if what == "plain"} == {False}
    assert {thread is loop for what, _, thread in told if what != "plain"} == {True}


def test_a_middleware_hears_of_the_error_inside(company):
    heard = []

    async def around(next):  # noqa: A002
        try:
            await next()
        except ValueError as error:
            heard.append(str(error))
            raise

    @task(middleware=around, retry=retry(max_attempts=1))
    async def failing():
        raise ValueError("no")

    (outcome,) = company.add(failing).run()
    assert isinstance(outcome, Failed)
    assert (outcome.final_status, heard) == (RunStatus.FAILED, ["no"])


@pytest.mark.parametrize(("word", "kind"), [("cancel", Canceled), ("shutdown", Interrupted)])
def test_one_is_stopped_and_the_others_go_on(company, word, kind):
    cleaned: list[str] = []
    gate: list[bool] = []

    @task
    async def sleeping():
        try:
            await until(lambda: gate)
        finally:
            cleaned.append(current().run.id)
        return "awake"

    async def stop():
        await asyncio.sleep(0.05)
        company.stop(1, word)
        await until(lambda: cleaned)
        gate.append(True)

    company.add(sleeping).add(sleeping).add(sleeping)
    first, second, third = company.run(stop)
    assert (first, third) == (Succeeded('"awake"'), Succeeded('"awake"'))
    assert isinstance(second, kind)
    assert cleaned[0] == "run_1"


def test_its_time_is_over(company):
    @task(retry=retry(max_attempts=1))
    async def sleeping():
        await asyncio.sleep(20)

    async def stop():
        await asyncio.sleep(0.02)
        company.stop(0, "timeout")

    (outcome,) = company.add(sleeping, max_duration=0.02).run(stop)
    assert outcome.final_status == RunStatus.TIMED_OUT


def test_a_word_that_came_before_the_body_stops_it(company):
    @task
    async def never():
        await asyncio.sleep(0.05)
        raise AssertionError("it ran")

    company.add(never)
    company.controls[0].word = "cancel"
    assert company.run() == [Canceled()]


def test_what_a_body_leaves_running_ends_with_it(company):
    ends = []

    @task
    async def leaving():
        asyncio.create_task(forever())  # noqa: RUF006  that is the point
        await asyncio.sleep(0)

    async def forever():
        try:
            await asyncio.sleep(20)
        finally:
            ends.append(current().run.id)

    @task
    async def staying():
        await until(lambda: ends)  # while the loop goes on

    assert company.add(leaving).add(staying).run() == [Succeeded(None)] * 2
    assert ends == ["run_0"]


def test_an_attempt_that_needs_no_thread_has_none(company):
    seen = []

    async def later():
        seen.append(threading.active_count())

    @task(on_start_attempt=later, on_success=later)
    async def simple():
        seen.append(threading.active_count())

    before = threading.active_count()
    assert company.add(simple).add(simple).run() == [Succeeded(None)] * 2
    assert seen == [before] * 6


def test_a_plain_middleware_is_around_in_the_own_thread(company):
    place: ContextVar[str] = ContextVar("place", default="")
    seen: dict[str, list[object]] = {}

    def around(ctx, next):  # noqa: A002
        place.set(ctx.run.id)
        seen[ctx.run.id] = [threading.get_ident()]
        try:
            next()
        except StopIteration:
            seen[ctx.run.id].append("stop")
            raise

    def hook(ctx):
        raise StopIteration

    @task(middleware=around, retry=retry(max_attempts=1))
    async def inside(ctx):
        await asyncio.sleep(0.01)
        seen[ctx.run.id] += [await sync_to_async(threading.get_ident)(), place.get()]

    @task(middleware=around, on_start_attempt=hook, retry=retry(max_attempts=1))
    async def stopped():
        raise AssertionError("it ran")

    first, second, third = company.add(inside).add(inside).add(stopped).run()
    assert (first, second) == (Succeeded(None), Succeeded(None))
    for run_id in ("run_0", "run_1"):
        assert seen[run_id] == [seen[run_id][0], seen[run_id][0], run_id]
    assert seen["run_2"][1:] == ["stop"]
    assert '"name": "StopIteration"' in third.error
    assert len({thread for thread, *_ in seen.values()}) == 3


def test_what_a_plain_hook_sets_the_body_sees(company):
    place: ContextVar[str] = ContextVar("place", default="")

    def hook(ctx):
        place.set(ctx.run.id)

    @task(on_start_attempt=hook)
    async def seeing():
        return place.get()

    assert company.add(seeing).add(seeing).run() == [Succeeded('"run_0"'), Succeeded('"run_1"')]
    assert place.get() == ""


def test_what_django_moves_to_a_thread_comes_to_the_own_one(company):
    threads = {}

    def hook(ctx):
        threads[ctx.run.id] = [threading.get_ident()]

    @task(on_start_attempt=hook)
    async def querying(ctx):
        for _ in range(3):
            threads[ctx.run.id].append(await sync_to_async(threading.get_ident)())

    company.add(querying).add(querying).run()
    assert [len(set(found)) for found in threads.values()] == [1, 1]
    assert threads["run_0"][0] != threads["run_1"][0]


def test_who_holds_the_loop_is_told(company, monkeypatch):
    monkeypatch.setattr(watching, "HELD", 0.05)

    @task
    async def hog():
        await asyncio.sleep(0)
        time.sleep(0.1)

    @task
    async def patient():
        await asyncio.sleep(0.01)

    company.add(hog).add(patient).run()
    (line,) = company.messages(0)
    assert line.startswith("“hog” held the event loop for 0.1 s; 1 other run waited.")
    assert company.messages(1) == []


def test_a_short_wait_that_is_awaited_keeps_nobody_waiting(company):
    order = []

    @task
    async def waiting(seconds):
        await wait(seconds=seconds)
        order.append(seconds)

    company.add(waiting, "0.3").add(waiting, "0.1")
    assert all(isinstance(one, Succeeded) for one in company.run(keeper=Notebook()))
    assert order == [0.1, 0.3]


def test_a_short_wait_that_is_not_awaited_leaves_the_process(company):
    """A run that sleeps in the loop's thread would keep all others waiting."""

    @task
    async def waiting():
        wait(seconds=0.5)

    @task
    async def later():
        over = wait(seconds=0.5)
        await over

    for one in company.add(waiting).add(later).run(keeper=Notebook()):
        assert isinstance(one, Suspended)


class Lobby(Notebook):
    """Lets coroutines stay, as long as it likes."""

    def __init__(self, *answers):
        super().__init__()
        self.answers, self.pauses, self.quiet = list(answers), [], []

    async def stay_apart(self, pause, spot):
        self.quiet.append(spot.is_quiet)
        self.pauses.append(pause)
        await asyncio.sleep(0)
        self.entries += pause.entries
        return self.answers.pop(0)


def test_a_longer_wait_that_is_awaited_suspends_the_body(company):
    lobby = Lobby(True, True)

    @task
    async def waiting():
        async def deeper():
            await wait(hours=1)

        await deeper()
        return type(await wait(hours=2)).__name__

    (outcome,) = company.add(waiting).run(keeper=lobby)
    assert (outcome.output, lobby.quiet) == ('"Over"', [True, True])


@pytest.mark.parametrize("answer", [None, False])
def test_a_body_that_may_not_stay_is_left(company, answer):
    seen = []

    @task
    async def waiting():
        try:
            await wait(hours=1)
        finally:
            seen.append("out")

    (outcome,) = company.add(waiting).run(keeper=Lobby(answer))
    assert isinstance(outcome, Suspended)
    assert seen == ["out"]


def test_a_body_of_which_something_goes_on_is_not_quiet(company):
    lobby = Lobby(None)

    @task
    async def waiting():
        beside = asyncio.get_running_loop().create_task(asyncio.sleep(60))
        await wait(hours=1)
        beside.cancel()

    company.add(waiting).run(keeper=lobby)
    assert lobby.quiet == [False]


def test_steps_are_remembered(company):
    made = Notebook()

    @task
    async def stepping():
        return await step("double", doubled, 2)

    async def doubled(number):
        await asyncio.sleep(0)
        return number * 2

    assert company.add(stepping).run(keeper=made) == [Succeeded("4")]
    assert [entry.name for entry in made.entries] == ["double"]


def test_nothing_of_an_attempt_is_executed_after_it():
    thread = sharing.OwnThread()
    asyncio.run(thread.close())
    with pytest.raises(RuntimeError, match="attempt has ended"):
        thread.submit(print)


def test_an_attempt_leaves_nothing_to_the_garbage_collector(company):
    """Which would have to look through all that execute to find it."""

    @task
    async def simple():
        await asyncio.sleep(0)

    def left():
        return sum(type(one) is Replay for one in gc.get_objects())  # asking lazy ones wakes them

    before = left()
    gc.disable()
    try:
        company.add(simple).add(simple).run(keeper=Notebook())
        assert left() == before
    finally:
        gc.enable()

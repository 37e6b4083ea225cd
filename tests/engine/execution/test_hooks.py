"""What hooks get, return and may not do, at the executor; the order is in test_lifecycle.py."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

import engine
from engine import AbortTaskRunError, current, hooks, locals, retry, wait, wait_until  # noqa: A004
from engine.execution import calls
from engine.execution.assignment import Assignment, context_of
from engine.execution.executor import End, conclude
from engine.execution.interrupts import listening
from engine.execution.outcomes import Canceled, Failed, Succeeded, Suspended
from engine.execution.waiting import wait_behind
from engine.sdk.hookkinds import Wait, hook_of
from runs.journal import Entry
from tests.engine.execution.test_lifecycle import Stop, over
from tests.engine.support import Calm, Notebook, Sink, carry_out

#: Untyped on purpose: what type checkers know of tasks is in test_typing.py.
task: Any = engine.task

DB = locals.create("db", str)
TENANT = ContextVar("tenant", default="nobody")


class Order(BaseModel):
    id: int = 7


def error_of(outcome):
    assert isinstance(outcome, Failed), outcome
    return json.loads(outcome.error)


def failing(error=None, **options):
    """A task whose body raises."""

    def body():
        raise error or ValueError("no")

    return task(id="failing", **options)(body)


# -- what they get --------------------------------------------------------------------------------


def test_hooks_get_what_they_ask_for():
    seen: dict[str, Any] = {}

    @task(id="order")
    def order(payload: Order):
        return payload.id + 1

    @order.on_success
    def told(payload, output, ctx, task, signal):
        seen.update(payload=payload, output=output, run=ctx.run.id, task=task, signal=signal)

    @order.on_complete
    def everything(**values):
        seen["all"] = set(values)
        seen["result"] = values["result"].unwrap()

    assert carry_out(order, '{"id": 1}') == Succeeded("2")
    assert (seen["payload"], seen["output"], seen["result"]) == (Order(id=1), 2, 2)
    assert (seen["run"], seen["task"], seen["signal"].aborted) == ("run_1", "order", False)
    assert seen["all"] == {"payload", "ctx", "task", "signal", "result", "init"}


def test_a_hook_that_asks_for_the_signal_leaves_the_body_to_be_interrupted():
    made = task(id="x", on_start_attempt=lambda signal: None)(lambda ctx: len(ctx._watched))
    assert carry_out(made) == Succeeded("0")


@pytest.mark.parametrize("is_async", [False, True])
def test_what_init_returns_reaches_body_and_hooks(is_async):
    seen = []
    hooks.init(lambda: {"db": "global", "log": 1})

    async def opened():
        return {"db": "own"}

    options = {"init": opened if is_async else (lambda: {"db": "own"})}

    @task(id="x", cleanup=lambda init: seen.append(init), **options)
    def body(payload, *, init):
        return init

    body.on_success(lambda init: seen.append(init))
    assert carry_out(body) == Succeeded('{"db":"own","log":1}')
    assert seen == [{"db": "own", "log": 1}] * 2


def test_the_first_parameter_is_the_payload_whatever_its_name():
    @task(id="x", init=lambda: "opened")
    def body(init, signal, ctx):
        return [init, signal.aborted]

    assert carry_out(body, '"given"') == Succeeded('["given",false]')


def test_on_failure_gets_the_exception_itself():
    seen, error = [], ValueError("no")
    made = failing(error, retry={"max_attempts": 1}, on_failure=lambda error: seen.append(error))
    carry_out(made, max_attempts=1)
    assert seen == [error]


def test_a_payload_the_schema_refuses_comes_as_plain_json():
    seen = []

    @task(id="order", on_failure=lambda payload, error: seen.append((payload, type(error))))
    def order(payload: Order): ...

    carry_out(order, '{"id": "x"}')
    assert [(payload, kind.__name__) for payload, kind in seen] == [({"id": "x"}, "InvalidPayload")]


# -- catch_error ----------------------------------------------------------------------------------

HOUR = 3600
SOON = datetime.now(UTC) + timedelta(seconds=HOUR)  # noqa: TID251
OTHER = KeyError("other")


@pytest.mark.parametrize(
    ("decision", "delay"),
    [
        ({"skip_retrying": True}, None),
        ({"skip_retrying": True, "retry_delay": 5}, None),
        ({"retry_at": SOON, "retry_delay": 5}, HOUR),
        ({"retry_at": SOON - timedelta(days=1)}, 0),
        ({"retry_delay": "30s"}, 30),
        ({"retry_delay_in_ms": 1500}, 1.5),
        ({"retry": {"min_timeout": 7, "randomize": False}}, 7),
        ({"retry": retry(min_timeout=8, randomize=False), "error": OTHER}, 8),
        ({"error": OTHER}, None),
    ],
)
def test_catch_error_decides(decision, delay):
    outcome = carry_out(failing(catch_error=lambda: decision))
    if delay == HOUR:  # less what has passed since this file was read
        delay = (SOON - datetime.now(UTC)).total_seconds()  # noqa: TID251
    assert outcome.retry_delay == (None if delay is None else pytest.approx(delay, rel=0.05))
    assert error_of(outcome)["name"] == ("KeyError" if "error" in decision else "ValueError")


def test_catch_error_learns_what_would_happen():
    seen = []

    def look(error, retry, retry_at, retry_delay):
        seen.append((str(error), retry.max_attempts, retry_at is None, retry_delay))

    made = failing(retry={"min_timeout": 4, "randomize": False}, catch_error=look)
    assert carry_out(made).retry_delay == 4
    assert carry_out(made, attempt=3).retry_delay is None
    assert seen == [("no", 3, False, 4.0), ("no", 3, True, None)]


def test_a_retry_it_wants_without_an_attempt_left_is_a_failure_with_its_hooks():
    seen = []
    made = failing(
        catch_error=lambda: {"retry_delay": 1}, on_failure=lambda error: seen.append(str(error))
    )
    outcome = carry_out(made, attempt=3)
    assert (outcome.retry_delay, outcome.hooked, seen) == (None, True, ["no"])


def test_the_tasks_own_decides_before_the_global_ones():
    hooks.catch_error(lambda: {"retry_delay": 1})
    hooks.catch_error(lambda: {"retry_delay": 2})
    assert carry_out(failing()).retry_delay == 1
    assert carry_out(failing(handle_error=lambda: {"retry_delay": 3})).retry_delay == 3
    assert carry_out(failing(catch_error=lambda: None)).retry_delay == 1


def test_the_error_it_names_is_the_one_the_others_see():
    seen = []
    made = failing(
        catch_error=lambda: {"error": OTHER},
        on_failure=lambda error: seen.append(error),
        on_complete=lambda result: seen.append(result.error),
    )
    error = error_of(carry_out(made))
    assert seen == [OTHER, OTHER]
    assert [cause["name"] for cause in error["causes"]] == ["ValueError"]


@pytest.mark.parametrize("decision", ["stop", {"retry_att": 1}, {"error": "no"}, {"retry_at": 5}])
def test_a_decision_that_is_none_crashes_the_run(decision):
    error = error_of(outcome := carry_out(failing(catch_error=lambda: decision)))
    assert (error["code"], outcome.final_status, outcome.retry_delay) == (
        "HANDLE_ERROR_ERROR",
        "CRASHED",
        None,
    )
    assert "ValueError" in str(error["causes"])


def test_the_final_hooks_see_what_it_raised():
    seen = []

    def raising():
        raise OSError("broken")

    made = failing(
        catch_error=raising,
        on_failure=lambda error: seen.append(str(error)),
        on_complete=lambda result: seen.append(str(result.error)),
    )
    assert carry_out(made).hooked
    assert seen == ["broken", "broken"]


def test_it_is_not_asked_about_giving_up():
    made = failing(AbortTaskRunError("no"), catch_error=lambda: {"retry_delay": 1})
    assert carry_out(made).retry_delay is None


# -- retry filters --------------------------------------------------------------------------------


class Refused(ConnectionError):
    """A kind of its own."""


@pytest.mark.parametrize(
    ("filters", "retried"),
    [
        ({"only": [ConnectionError]}, True),
        ({"only": ["ConnectionError", ValueError]}, True),
        ({"only": ValueError}, False),
        ({"never": [OSError]}, False),
        ({"never": f"{__name__}.Refused"}, False),
        ({"never": ["SomebodyElses.Refused"]}, True),
        ({"only": [ConnectionError], "never": [Refused]}, False),
    ],
)
@pytest.mark.parametrize("error", [Refused("no"), ExceptionGroup("several", [Refused("no")])])
def test_retries_by_the_kind_of_the_error(filters, retried, error):
    outcome = carry_out(failing(error, retry=filters))
    assert (outcome.retry_delay is not None) == retried


def test_catch_error_may_retry_what_a_filter_would_not():
    made = failing(retry={"never": [ValueError]}, catch_error=lambda: {"retry_delay": 1})
    assert carry_out(made).retry_delay == 1


def test_retries_can_be_switched_off_in_development(settings):
    settings.TRACKSIDE = {"RETRY_IN_DEV": False, "ENVIRONMENT": {"name": "Here", "kind": "dev"}}
    made = failing(catch_error=lambda: {"retry_delay": 1})
    assert carry_out(made).retry_delay is None
    settings.TRACKSIDE = {"RETRY_IN_DEV": False, "ENVIRONMENT": {"name": "Live", "kind": "prod"}}
    assert carry_out(made).retry_delay == 1


# -- registered by the body -----------------------------------------------------------------------


def test_a_hook_of_the_body_is_that_attempts_alone():
    calls = []
    hooks.on_success(lambda: calls.append("everybody's"))

    def of_the_attempt(output):
        calls.append(output)

    @task(id="staged", on_success=lambda: calls.append("the task's"))
    def staged(payload):
        for _ in range(2):
            hooks.on_success(of_the_attempt)
        hooks.on_complete(lambda result: calls.append(result.ok))
        return payload

    for payload in ("1", "2"):
        carry_out(staged, payload)
    first, second = calls[:4], calls[4:]
    assert first == ["everybody's", 1, "the task's", True]
    assert second == ["everybody's", 2, "the task's", True]
    assert len(list(hooks.of_kind("on_success"))) == 1


def test_alone_it_is_called_too():
    calls = []

    @task(id="staged")
    def staged(payload):
        hooks.on_success(lambda output: calls.append(output))
        return payload

    carry_out(staged, "1")
    assert calls == [1]


def test_a_catch_error_of_the_body_is_asked_last():
    @task(id="staged", catch_error=lambda: None)
    def staged():
        hooks.catch_error(lambda: {"retry_delay": 9})
        raise ValueError

    assert carry_out(staged).retry_delay == 9


def test_a_hook_that_would_come_too_late_is_refused():
    @task(id="staged")
    def staged():
        hooks.on_start_attempt(lambda: None)

    outcome = carry_out(staged)
    assert "too late" in error_of(outcome)["message"]
    assert list(hooks.of_kind("on_start_attempt")) == []


# -- middleware and locals ------------------------------------------------------------------------


@contextmanager
def database():
    try:
        yield "open"
    except ValueError as error:
        raise AssertionError("rolled back") from error


def test_a_with_block_around_next_sees_the_error():
    seen = []

    @hooks.middleware
    def connected(next):  # noqa: A002
        try:
            next()
        except ValueError as error:
            seen.append(error)
            raise

    error = ValueError("no")
    assert error_of(carry_out(failing(error)))["name"] == "ValueError"
    assert seen == [error]


def test_swallowing_the_error_makes_no_success():
    @hooks.middleware
    def swallow(call_next):
        with suppress(ValueError):
            call_next()

    assert error_of(carry_out(failing()))["name"] == "ValueError"


def test_an_error_after_next_fails_what_had_succeeded_with_its_hooks():
    calls = []

    def after(next):  # noqa: A002  the reference's name
        next()
        raise OSError("broken")

    @task(
        id="order",
        middleware=after,
        on_success=lambda: calls.append("on_success"),
        on_complete=lambda result: calls.append(result.ok),
        on_failure=lambda error: calls.append(str(error)),
        catch_error=lambda: calls.append("catch_error"),
        cleanup=lambda: calls.append("cleanup"),
    )
    def order(): ...

    outcome = carry_out(order, attempt=3)
    assert calls == ["on_success", True, "cleanup", "broken", False]
    assert error_of(outcome)["code"] == "TASK_MIDDLEWARE_ERROR"
    assert outcome.hooked


def test_an_attempt_that_failed_keeps_its_own_error():
    @hooks.middleware
    def rolled_back(call_next):
        with database():
            call_next()

    sink = Sink()
    assert error_of(carry_out(failing(), sink=sink))["name"] == "ValueError"
    assert "rolled back" in "\n".join(sink.messages)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_middleware_that_does_not_go_on_fails_the_attempt(is_async):
    async def lazy(call_next):
        """Forgets the rest."""

    made = task(id="x", middleware=lazy if is_async else (lambda next: None))(lambda: 1)  # noqa: A006
    error = error_of(carry_out(made))
    assert error["code"] == "TASK_MIDDLEWARE_ERROR"
    assert "without calling next()" in error["message"]


@pytest.mark.parametrize("is_async", [False, True])
def test_the_rest_is_called_once(is_async):
    seen = []

    async def eager(call_next):
        await call_next()
        await call_next()

    def plain(call_next):
        call_next()
        call_next()

    @task(id="x", middleware=eager if is_async else plain)
    def body():
        seen.append(1)

    assert "twice" in error_of(carry_out(body))["message"]
    assert seen == [1]


def test_locals_are_shared_and_end_with_the_attempt():
    @hooks.middleware
    def connected(call_next):
        locals.set(DB, "connection")
        call_next()

    seen = []

    @task(id="x", on_success=lambda: seen.append(DB.get()))
    async def body():
        return locals.get_or_raise(locals.create("db", str))

    assert carry_out(body) == Succeeded('"connection"')
    assert seen == ["connection"]
    hooks.forget()
    error = error_of(carry_out(body))
    assert (error["name"], "db" in error["message"]) == ("LookupError", True)
    with pytest.raises(LookupError, match="belongs to none"):
        DB.get()


@pytest.mark.parametrize("is_async", [False, True])
def test_context_variables_of_an_async_middleware_reach_the_body(is_async):
    @hooks.middleware
    async def tenant(call_next):
        TENANT.set("c_42")
        await call_next()

    async def coroutine():
        return TENANT.get()

    made = task(id="x")(coroutine if is_async else (lambda: TENANT.get()))
    assert carry_out(made) == Succeeded('"c_42"')
    assert TENANT.get() == "nobody"


def test_all_coroutines_of_an_attempt_share_a_loop():
    loops = []

    async def loop():
        loops.append(asyncio.get_running_loop())

    @task(id="x", on_start_attempt=loop, on_success=loop, middleware=None)
    def body(): ...

    @body.middleware
    async def around(call_next):
        await loop()
        await call_next()
        await loop()

    assert carry_out(body) == Succeeded(None)
    assert len(loops) == 4
    assert len(set(loops)) == 1


def test_a_middlewares_own_tasks_go_on_while_the_body_awaits():
    beats = []

    async def beat():
        while True:
            beats.append(1)
            await asyncio.sleep(0.001)

    @hooks.middleware
    async def beating(call_next):
        beater = asyncio.ensure_future(beat())
        await call_next()
        beater.cancel()

    @task(id="x")
    async def body():
        await asyncio.sleep(0.03)

    assert carry_out(body) == Succeeded(None)
    assert len(beats) > 3


def test_a_time_out_in_a_middleware_ends_the_body():
    @hooks.middleware
    async def limited(call_next):
        async with asyncio.timeout(0.01):
            await call_next()

    @task(id="x")
    async def body():
        await asyncio.sleep(30)

    began = time.monotonic()
    assert error_of(carry_out(body))["name"] == "CancelledError"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("is_async", [False, True])
def test_a_stop_before_the_body_keeps_it_from_running(is_async):
    stop = Stop("cancel")
    entered: list[Any] = []

    def plain(call_next):
        stop.armed = True
        call_next()

    async def coroutine(call_next):
        stop.armed = True
        await call_next()

    made = task(id="x", middleware=coroutine if is_async else plain)(lambda: entered.append(1))
    made.on_cancel(lambda run: entered.append(type(run.error).__name__))
    assert isinstance(carry_out(made, control=stop), Canceled)
    assert entered == ["TaskRunCanceled"]


# -- cancel, and staying open ---------------------------------------------------------------------


def test_on_cancel_sees_what_the_body_came_to():
    seen, stop = [], Stop("cancel")

    @task(id="x", on_cancel=lambda run: seen.append((run.ok, run.output)))
    def body(ctx):
        ctx._signal.abort("cancel")
        return "half" if ctx.signal.aborted else "all"

    assert carry_out(body, control=stop) == Canceled(hooked=True)
    assert seen == [(True, "half")]


@pytest.mark.parametrize("style", ["coroutine", "task", "thread"])
def test_the_attempt_stays_open_for_what_it_left(style):
    done = []

    async def late():
        await asyncio.sleep(0.02)
        done.append(current().run.id)
        raise ValueError("nobody's")

    def slowly():
        time.sleep(0.02)
        done.append("run_1")

    pool = ThreadPoolExecutor(1)

    @task(id="x", on_success=lambda: done.append("success"))
    async def body():
        if style == "thread":
            wait_until(pool.submit(slowly))
        else:
            wait_until(late() if style == "coroutine" else asyncio.ensure_future(late()))

    assert carry_out(body) == Succeeded(None)
    assert sorted(done) == ["run_1", "success"]
    pool.shutdown()


def test_it_does_not_stay_open_for_ever(monkeypatch):
    monkeypatch.setattr(calls, "OPEN_SECONDS", 0.01)

    @task(id="x")
    async def body():
        wait_until(asyncio.sleep(60))

    assert carry_out(body) == Succeeded(None)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("reason", ["", "cancel"])
def test_what_next_raises_is_not_the_middlewares_own_error(is_async, reason):
    stop = Stop(reason)

    async def coroutine(call_next):
        await call_next()

    @task(id="x", middleware=coroutine if is_async else (lambda call_next: call_next()))
    async def body(ctx):
        if not reason:
            raise ValueError("no")
        stop.armed = True
        asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
        ctx._signal.abort(reason)
        await asyncio.sleep(60)

    sink = Sink()
    carry_out(body, sink=sink, control=stop)
    assert sink.messages == []


@pytest.mark.parametrize("is_async", [False, True])
def test_nothing_is_raised_between_a_middleware_and_what_it_surrounds(is_async):
    stop = Stop("cancel")
    seen: list[str] = []
    run = Assignment("run_1", "x")
    ctx = context_of(run, "")

    async def coroutine(call_next):
        await call_next()

    async def inner():
        stop.armed = True
        delivery.look()
        seen.append(ctx._signal.reason)

    middleware = hook_of("middleware", coroutine if is_async else (lambda next: next()), "task")  # noqa: A006
    with listening(stop, ctx) as delivery, calls.Calls(delivery) as made:
        calls.driven(made.around(middleware, {}, inner))
    assert seen == ["cancel"]


@pytest.mark.parametrize("is_async", [False, True])
def test_final_hooks_elsewhere_do_not_depend_on_the_middleware(is_async):
    seen = []

    def plain(call_next):
        raise ConnectionError("no database")

    async def coroutine(call_next):
        raise ConnectionError("no database")

    task(id="x", middleware=coroutine if is_async else plain, on_failure=lambda: seen.append(1))(
        lambda: None
    )
    told: Any = conclude(Assignment("run_1", "x"), End("CRASHED", {}), Sink(), Calm())
    assert (seen, told.called, told.problems) == (
        [1],
        ("on_failure",),
        ("The middleware raised ConnectionError.",),
    )


# -- waits ----------------------------------------------------------------------------------------


def entry(kind, position, target=None, **facts):
    made = {"ordinal": position, "attempt": 1, "status": "PENDING", "started_at": SOON} | facts
    return Entry(kind=kind, name="", position=position, target=target, **made)


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ([entry("wait", 1, due_at=SOON)], Wait("duration", date=SOON)),
        ([entry("for", 1, "waitpoint_1")], Wait("token", token_id="waitpoint_1")),
        ([entry("wait", 1), entry("child", 2, "run_2")], Wait("task", run_id="run_2")),
        ([entry("child", 1, "run_1"), entry("child", 2, "run_2")], Wait("batch", run_count=2)),
        (
            [
                entry("child", 1, "run_1", started_at=SOON - timedelta(hours=1)),
                entry("step", 3),
                entry("child", 2, "run_2"),
            ],
            Wait("task", run_id="run_2"),
        ),
        ([entry("wait", 1, attempt=2)], Wait("duration")),
    ],
)
def test_on_resume_learns_of_the_last_wait(entries, wanted):
    assert wait_behind(entries, 1) == wanted


def test_on_wait_and_on_resume_log_once_each():
    def pausing():
        print("before")
        wait(hours=1)
        print("after")

    made = task(id="x", on_wait=lambda wait: print(f"leaving for a {wait.type}"))(pausing)
    made.on_resume(lambda wait: print(f"back from a {wait.type}"))
    made.init(lambda: print("init"))
    sink = Sink()
    left: Any = carry_out(made, sink=sink, keeper=Notebook())
    carry_out(made, sink=sink, keeper=over(left), resumed=True)
    leaving, back = "leaving for a duration", "back from a duration"
    assert sink.messages == ["init", "before", leaving, back, "after"]


@pytest.mark.parametrize("kind", ["on_success", "on_start_attempt", "init"])
def test_hooks_cannot_wait(kind):
    made = task(id="x", **{kind: lambda: wait(hours=1)})(lambda: 1)
    sink = Sink()
    outcome = carry_out(made, keeper=Notebook(), sink=sink)
    if kind == "on_success":
        assert (outcome, "CannotWaitHere" in sink.messages[0]) == (Succeeded("1"), True)
    else:
        assert error_of(outcome)["name"] == "CannotWaitHere"


def test_a_middleware_that_swallows_the_word_to_leave_changes_nothing():
    @hooks.middleware
    def swallow(call_next):
        with suppress(BaseException):
            call_next()

    made = task(id="x")(lambda: wait(hours=1))
    assert isinstance(carry_out(made, keeper=Notebook()), Suspended)

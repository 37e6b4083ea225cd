import asyncio
import json
import sys
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from engine import AbortTaskRunError, Context, OutOfMemoryError, current, retry, task, tasks
from engine.execution.outcomes import Failed, Missing, Succeeded
from engine.registry import registry
from tests.engine.support import carry_out


class Order(BaseModel):
    id: int
    due: date = date(2026, 1, 1)


def failing(error, **options):
    """A task whose body raises `error`."""

    def body():
        raise error

    return task(id="failing", **options)(body)


def error_of(outcome):
    assert isinstance(outcome, Failed)
    return json.loads(outcome.error)


def test_stores_what_the_body_returns():
    @task
    def order(payload: Order):
        return {"id": payload.id, "due": payload.due, "price": Decimal("1.50")}

    assert carry_out(order, '{"id": "7"}') == Succeeded(
        '{"id":7,"due":"2026-01-01","price":"1.50"}'
    )


def test_a_body_may_return_nothing():
    assert carry_out(task(id="nothing")(lambda: None)) == Succeeded(None)


def test_without_a_schema_the_body_gets_plain_json():
    @task
    def echo(payload):
        return payload

    assert carry_out(echo, '{"a": [1, "\\ud800"]}') == Succeeded('{"a":[1,"\\ud800"]}')
    assert carry_out(echo) == Succeeded(None)


def test_a_coroutine_body_runs_in_an_event_loop():
    @task
    async def both(payload: list[int]) -> int:
        await asyncio.sleep(0)
        return sum(payload)

    assert carry_out(both, "[1, 2]") == Succeeded("3")


def test_the_body_gets_its_context():
    @task
    def look(payload, ctx: Context):
        assert current() is ctx
        return [ctx.run.id, ctx.attempt.number, ctx.run.tags, ctx.run.metadata, ctx.machine.memory]

    outcome = carry_out(look, attempt=2, tags=("a",), metadata='{"k": 1}', machine="micro")
    assert outcome == Succeeded('["run_1",2,["a"],{"k":1},0.25]')
    assert current() is None


def test_an_exception_is_retried_by_the_policy():
    made = failing(ValueError("no"), retry=retry(min_timeout=2, randomize=False))
    outcome = carry_out(made, attempt=2)
    assert (outcome.retry_delay, outcome.final_status) == (4.0, "FAILED")
    error = error_of(outcome)
    assert (error["type"], error["name"], error["message"]) == (
        "BUILT_IN_ERROR",
        "ValueError",
        "no",
    )
    assert [frame["function"] for frame in error["frames"]] == ["failing.<locals>.body"]
    assert error["frames"][0]["own"]


def test_the_run_decides_how_many_attempts_there_are():
    made = failing(ValueError("no"))
    assert carry_out(made, attempt=3).retry_delay is None
    assert carry_out(made, attempt=3, max_attempts=5).retry_delay is not None
    assert carry_out(made, attempt=3, uncounted_attempts=1).retry_delay is not None
    assert carry_out(made, attempt=250, max_attempts=999).retry_delay is None


class Copied:
    class AbortTaskRunError(Exception):
        """From another copy of the SDK."""


@pytest.mark.parametrize(
    "error",
    [
        AbortTaskRunError("no"),
        Copied.AbortTaskRunError("no"),
        type("Mine", (AbortTaskRunError,), {})("no"),
        ExceptionGroup("several", [ValueError(), AbortTaskRunError("no")]),
    ],
)
def test_giving_up_is_not_retried(error):
    outcome = carry_out(failing(error))
    assert (outcome.retry_delay, outcome.final_status) == (None, "FAILED")


def test_triggering_with_a_bad_option_is_not_retried():
    @task
    def parent():
        tasks.trigger("child", tags=[1])  # type: ignore[list-item]

    outcome = carry_out(parent)
    assert (outcome.retry_delay, error_of(outcome)["name"]) == (None, "InvalidOption")


@pytest.mark.parametrize("error", [MemoryError(), OutOfMemoryError("ffmpeg")])
def test_no_memory_is_retried_on_a_larger_machine_only(error):
    outcome = carry_out(failing(error))
    assert (outcome.retry_delay, outcome.final_status) == (None, "CRASHED")
    assert error_of(outcome)["code"] == "TASK_PROCESS_OOM_KILLED"
    assert outcome.recycle


def test_no_memory_moves_one_machine_up():
    made = failing(MemoryError(), retry=retry(out_of_memory={"machine": "large-1x"}))
    outcome = carry_out(made)
    assert outcome.machine == "large-1x"
    assert outcome.retry_delay is not None
    assert carry_out(made, machine="large-1x").retry_delay is None


@pytest.mark.parametrize("code", [0, 1, None, "text"])
def test_leaving_the_process_is_a_crash_and_no_success(code):
    outcome = carry_out(task(id="leave")(lambda: sys.exit(code)))
    error = error_of(outcome)
    assert (outcome.final_status, outcome.retry_delay is None) == ("CRASHED", False)
    assert error["code"] == "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE"
    assert "sys.exit" in error["message"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit(), BaseException("bare")])
def test_any_base_exception_is_a_failure(error):
    assert carry_out(failing(error)).retry_delay is not None


async def forgotten():
    return 1


@pytest.mark.parametrize("hook", [None, "init", "on_start_attempt", "middleware"])
def test_an_iterator_that_is_at_its_end_is_an_error_like_any_other(hook):
    """Though the steps of an attempt are coroutines, which no StopIteration leaves."""
    seen = []

    def body():
        next(iter([]))

    def around(next):  # noqa: A002
        try:
            next()
        except StopIteration:
            seen.append("around")
            raise

    options: dict[str, Any] = {"middleware": around}
    if hook is not None:
        options[hook] = body if hook != "middleware" else lambda next: body()  # noqa: A006
    outcome = carry_out(task(id="ending", **options)(body), max_attempts=1)
    assert error_of(outcome)["name"] == "StopIteration"
    assert seen == ([] if hook == "middleware" else ["around"])


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (float("nan"), "nan"),
        ((n for n in [1]), "generator"),
        ({"a": [object()]}, r"\$.a[0]"),
        ("x" * 10_000_001, "limit of 10,000,000 bytes"),
    ],
)
def test_a_return_value_without_json_form_fails_the_run(returned, says):
    outcome = carry_out(task(id="odd")(lambda: returned), attempt=1)
    error = error_of(outcome)
    assert (error["code"], outcome.retry_delay) == ("TASK_OUTPUT_ERROR", None)
    assert says.replace("\\", "") in error["message"]


def test_a_forgotten_await_fails_the_run():
    error = error_of(carry_out(task(id="odd")(lambda: forgotten())))
    assert "never awaited" in error["message"]


@pytest.mark.parametrize("payload", ['{"id": "many"}', "{}", "[]", None])
def test_a_payload_that_turned_invalid_fails_the_run(payload):
    entered = []

    @task(id="order")
    def order(payload: Order):
        entered.append(payload)

    outcome = carry_out(order, payload)
    assert (error_of(outcome)["code"], outcome.retry_delay) == ("TASK_INPUT_ERROR", None)
    assert entered == []


def test_a_task_this_code_lacks_is_missing():
    made: Any = task(id="gone")(lambda: None)
    registry.clear()
    assert carry_out(made) == Missing("This version of the code has no task “gone”.")
    registry.mark_broken("gone", "Traceback\nImportError: no module")
    assert "ImportError: no module" in carry_out(made).reason

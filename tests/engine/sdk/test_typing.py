"""What a type checker knows of tasks: checked by mypy with everything else, and run as well."""

from collections.abc import Coroutine
from typing import Any, assert_type

import pytest
from pydantic import BaseModel

from engine import Context, Handle, Task, task
from engine.sdk.tasks import AsyncTask
from runs.errors import InvalidPayload

pytestmark = pytest.mark.usefixtures("fake_runtime")


class Order(BaseModel):
    id: int


def test_payload_and_result_are_known() -> None:
    @task
    def charge(payload: Order, ctx: Context) -> str:
        return f"{payload.id}"

    assert_type(charge, Task[Order, str])
    assert_type(charge.trigger(Order(id=1), delay="1h"), Handle[str])
    assert_type(charge.batch_trigger([{"payload": Order(id=1)}]), list[Handle[str]])


def test_options_keep_the_types() -> None:
    @task(id="charge", max_duration=60)
    def charge(payload: Order) -> str:
        return f"{payload.id}"

    assert_type(charge, Task[Order, str])
    assert_type(charge(Order(id=1)), str)


def test_a_task_without_payload_needs_none() -> None:
    @task
    def sweep() -> int:
        return 1

    assert_type(sweep, Task[None, int])
    assert_type(sweep.trigger(), Handle[int])


def test_a_coroutine_function_is_awaited() -> None:
    @task(id="fetch")
    async def fetch(payload: list[str]) -> int:
        return len(payload)

    assert_type(fetch, AsyncTask[list[str], int])
    assert_type(fetch.trigger(["a"]), Handle[int])
    pending = assert_type(fetch(["a"]), Coroutine[Any, Any, int])
    pending.close()


def test_a_wrong_payload_is_an_error_for_both() -> None:
    @task
    def charge(payload: Order) -> None: ...

    with pytest.raises(InvalidPayload):
        charge.trigger("seven")  # type: ignore[arg-type]

"""What a type checker knows of tasks: checked by mypy with everything else, and run as well."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, assert_type

import httpx
import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from engine import (
    BatchHandle,
    Context,
    ErrorDecision,
    Handle,
    LocalKey,
    Measured,
    RetryPolicy,
    RunResult,
    Task,
    current,
    hooks,
    locals,  # noqa: A004
    retry,
    task,
    usage,
)
from engine.sdk.tasks import AsyncTask
from runs.errors import InvalidOption, InvalidPayload

pytestmark = pytest.mark.usefixtures("fake_runtime")


class Order(BaseModel):
    id: int


def test_payload_and_result_are_known() -> None:
    @task
    def charge(payload: Order, ctx: Context) -> str:
        return f"{payload.id}"

    assert_type(charge, Task[Order, str])
    assert_type(charge.trigger(Order(id=1), delay="1h"), Handle[str])
    assert_type(charge.batch_trigger([{"payload": Order(id=1)}]), BatchHandle[str])


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


@dataclass
class Parcel:
    weight: float


class Posting(TypedDict):
    account: str


def test_every_kind_of_schema_is_a_type() -> None:
    @task
    def weigh(payload: Parcel) -> float:
        return payload.weight

    @task
    def post(payload: Posting) -> str:
        return payload["account"]

    assert_type(weigh, Task[Parcel, float])
    assert_type(weigh.trigger(Parcel(2.5)), Handle[float])
    assert_type(post.trigger({"account": "anna"}), Handle[str])
    with pytest.raises(InvalidPayload):
        post.trigger({"acount": "anna"})  # type: ignore[typeddict-item]


def test_a_body_may_ask_for_init_and_signal() -> None:
    @task(id="a", init=lambda: {"opened": True})
    def plain(payload: Order, ctx: Context, *, init: dict[str, bool]) -> str:
        return f"{payload.id}"

    @task(id="b")
    async def coroutine(payload: Order, *, init: object, signal: object) -> str:
        return f"{payload.id}"

    assert_type(plain, Task[Order, str])
    assert_type(coroutine, AsyncTask[Order, str])


def test_hooks_keep_their_types_and_the_tasks() -> None:
    def told(output: str) -> None: ...

    def decide(error: BaseException) -> ErrorDecision | None:
        return {"retry_delay": "10s"}

    @task(id="charge", on_success=told, catch_error=decide, middleware=lambda next: next())  # noqa: A006
    def charge(payload: Order) -> str:
        return f"{payload.id}"

    @charge.on_complete
    def ended(result: RunResult) -> int:
        return 1 if result.ok else 0

    @hooks.middleware
    async def around(call_next: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await call_next()

    assert_type(charge, Task[Order, str])
    assert_type(ended(RunResult(True)), int)
    wrong: ErrorDecision = {"retry_dellay": 1}  # type: ignore[typeddict-unknown-key]
    assert wrong


def test_a_hook_that_does_not_exist_is_an_error_for_both() -> None:
    with pytest.raises(InvalidOption):
        task(id="x", on_sucess=print)  # type: ignore[call-overload]


def test_a_block_that_is_tried_again_keeps_its_type() -> None:
    async def later() -> str:
        return "later"

    assert_type(retry(max_attempts=5, never=[ValueError]), RetryPolicy)
    assert_type(retry.on_throw(lambda: 1, max_attempts=2), int)
    pending = assert_type(retry.on_throw(later), Coroutine[Any, Any, str])
    assert asyncio.run(pending) == "later"
    with pytest.raises(InvalidOption):
        retry.on_throw(lambda: 1, attempts=2)  # type: ignore[call-arg]


def test_a_response_is_a_response() -> None:
    server = httpx.MockTransport(lambda request: httpx.Response(200))
    with httpx.Client(transport=server) as client:
        response = retry.fetch("https://example.com", client=client, timeout="5s")
    assert assert_type(response, httpx.Response).status_code == 200


def test_locals_know_what_they_hold() -> None:
    key = LocalKey[int]("count")
    same = locals.create("count", int)
    assert_type(same, LocalKey[int])
    with pytest.raises(LookupError):
        assert_type(key.get(), int | None)
    with pytest.raises(LookupError):
        assert_type(locals.get_or_raise(same), int)
    assert current() is None


def test_what_is_measured_keeps_its_type():
    def plain() -> list[int]:
        return [1]

    async def later() -> str:
        return "done"

    assert_type(usage.measure(plain), Measured[list[int]])
    assert usage.measure(plain).result == [1]

    async def whole() -> str:
        found = await usage.measure(later)
        assert_type(found, Measured[str])
        return found.result

    assert asyncio.run(whole()) == "done"

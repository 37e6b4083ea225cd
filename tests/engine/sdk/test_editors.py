"""What an editor shows while somebody writes a task: mypy on the examples, and on mistakes."""

import re
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted(map(str, (ROOT / "examples" / "tasks").glob("*.py")))
#: What a line ends with is what mypy has to say about it.
WRITTEN = """
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from typing_extensions import NotRequired, TypedDict
from engine import Context, hooks, retry, step, task, tasks, wait
from engine.testing import Trackside


class Order(BaseModel):
    id: int


@task(id="charge", retry=retry(max_attempts=5), machine="micro", on_success=lambda output: None)
def charge(payload: Order, ctx: Context) -> str:
    reveal_type(payload.id)  # int
    payload.customer  # error: "Order" has no attribute "customer"
    return f"{payload.id}"


@task
async def fetch(payload: list[str]) -> dict[str, int]:
    return {}


reveal_type(charge)  # engine.sdk.tasks.Task[written.Order, str]
reveal_type(charge.trigger(Order(id=1)))  # engine.sdk.handles.Handle[str]
reveal_type(charge(Order(id=1)))  # str
reveal_type(fetch.trigger(["a"]).id)  # str
reveal_type(retry.on_throw(lambda: 1.5))  # float
charge.trigger({"id": 1})  # error: Argument 1 to "trigger" of "Task" has incompatible type
charge.trigger()  # error: Missing positional argument "payload"
charge.trigger(Order(id=1), dealy="1h")  # error: Unexpected keyword argument "dealy"
charge.batch_trigger([{"payload": "x"}])  # error: Incompatible types (expression has type "str"
task(id="x", max_duraton=5)  # error: No overload variant
task(id="x", on_failure="notify")  # error: No overload variant
hooks.on_sucess(print)  # error: "Hooks" has no attribute "on_sucess"


# a dataclass
@dataclass
class Parcel:
    weight: float


@task
def weigh(payload: Parcel) -> Parcel:
    return payload


reveal_type(weigh.trigger(Parcel(2)))  # engine.sdk.handles.Handle[written.Parcel]
weigh.trigger(2.5)  # error: Argument 1 to "trigger" of "Task" has incompatible type "float"; expected "Parcel"


# a TypedDict
class Address(TypedDict, total=False):
    city: str


class Posting(TypedDict):
    account: str
    amount: NotRequired[int]
    address: NotRequired[Address]


@task(id="post")
def post(payload: Posting) -> Posting:
    payload["acount"]  # error: TypedDict "Posting" has no key "acount"
    return payload


reveal_type(post)  # engine.sdk.tasks.Task[TypedDict(written.Posting, {'account': str, 'amount'?: int
post.trigger({"account": "anna"})
post.trigger({"account": "anna", "amount": 5, "address": {"city": "Bern"}})
post.trigger({"account": 5})  # error: Incompatible types (expression has type "int", TypedDict item
post.trigger({"amount": 5})  # error: Missing key "account" for TypedDict "Posting"
post.trigger({"account": "a", "address": {"town": "x"}})  # error: Extra key "town" for TypedDict "Address"
reveal_type(post.trigger_and_wait({"account": "anna"}).unwrap()["account"])  # str


# a JSON Schema, a plain type, and nothing at all
@task(schema={"type": "object", "required": ["to"]})
def by_schema(payload: Mapping[str, Any]) -> None: ...


@task
def numbers(payload: dict[str, list[int]]) -> int:
    return 1


@task
def untyped(payload) -> str:
    return str(payload["x"])


@task
def nothing() -> bytes | None:
    return None


by_schema.trigger({"to": "ada"})
by_schema.trigger("ada")  # error: Argument 1 to "trigger" of "Task" has incompatible type "str"; expected "Mapping
numbers.trigger({"a": [1]})
numbers.trigger({"a": ["1"]})  # error: List item 0 has incompatible type "str"; expected "int"
reveal_type(untyped)  # engine.sdk.tasks.Task[Any, str]
untyped.trigger()
untyped.trigger({"x": 1})
reveal_type(nothing.trigger())  # engine.sdk.handles.Handle[bytes | None]
nothing.trigger(1)  # error: No overload variant of "trigger" of "Task" matches argument type "int"


# waiting, in a body and in a test
@task
async def parent(payload: Order) -> None:
    reveal_type(charge.trigger_and_wait(payload).unwrap())  # str
    reveal_type(await charge.trigger_and_wait(payload))  # engine.sdk.results.Result[str]
    reveal_type(nothing.trigger_and_wait().output)  # bytes | None
    charge.trigger_and_wait()  # error: Missing positional argument "payload"
    charge.trigger_and_wait("7")  # error: Argument 1 to "trigger_and_wait" of "AndWait" has incompatible type "str"; expected "Order"
    many = weigh.batch_trigger_and_wait([{"payload": Parcel(1)}])
    reveal_type(many.runs[0].output.weight)  # float
    reveal_type(many.unwrap())  # list[written.Parcel]
    reveal_type(tasks.trigger_and_wait("charge").output)  # Any
    reveal_type(step("n", lambda: 1))  # int
    reveal_type(await step("page", fetch_page, "a"))  # str
    wait(hours="1")  # error: Argument "hours" to "__call__" of "Waits" has incompatible type "str"


async def fetch_page(url: str) -> str:
    return url


def test_charge(trackside: Trackside) -> None:
    reveal_type(trackside.run(charge, Order(id=1)).output)  # str
    reveal_type(trackside.run(nothing).unwrap())  # bytes | None
    trackside.run(charge, {"id": 1})  # error: Cannot infer value of type parameter "P" of "run" of "Trackside"
"""


@pytest.mark.once
@pytest.mark.timeout(280)
def test_knows_payloads_results_and_options(tmp_path, monkeypatch):
    """By the project's settings, so that mypy remembers what it found when it checked the project."""
    monkeypatch.chdir(ROOT)
    written = tmp_path / "written.py"
    written.write_text(WRITTEN)
    said, problem, _ = api.run([*EXAMPLES, str(written)])
    assert not problem
    assert [line for line in said.splitlines() if "examples/tasks" in line] == []
    found = {
        int(line.group(1)): line.group(2)
        for line in re.finditer(r"written\.py:(\d+): (?:error: |note: Revealed type is )(.*)", said)
    }
    wanted = {
        number: line.split("  # ")[1].removeprefix("error: ")
        for number, line in enumerate(WRITTEN.splitlines(), 1)
        if "  # " in line
    }
    assert set(found) == set(wanted), said
    differing = {n: (wanted[n], found[n].replace("builtins.", "")) for n in wanted}
    assert {n: pair for n, pair in differing.items() if pair[0] not in pair[1]} == {}

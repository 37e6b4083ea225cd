import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from engine import Context, DuplicateTaskIds, queue, retry, runtime, task, tasks
from engine.registry import registry
from engine.runtime import NotReady
from engine.sdk.tasks import AsyncTask, define
from runs.debounce import Debounce
from runs.errors import InvalidOption, InvalidPayload
from runs.retries import RetryPolicy

pytestmark = pytest.mark.usefixtures("fake_runtime")


class Order(BaseModel):
    id: int
    note: str = "none"


@dataclass
class Point:
    x: int
    y: int


def test_without_arguments_the_name_is_the_id():
    @task
    def greet(payload):
        """Say hello.

        In two paragraphs.
        """

    assert (greet.id, greet.description) == ("greet", "Say hello.")
    assert greet.retry == RetryPolicy()
    assert greet.queue.name == "task/greet"
    assert registry.get("greet") is greet


def test_takes_every_option():
    @task(
        id="all",
        description="everything",
        retry={"max_attempts": 10, "factor": 1.8, "min_timeout_in_ms": 500, "max_timeout": 30},
        queue={"name": "one-at-a-time", "concurrency_limit": 1},
        machine={"cpu": 1, "memory": 1.5},
        max_duration="1h30m",
        ttl=timedelta(minutes=5),
        priority=-3,
        tags=["a", "b", "a"],
    )
    def everything(payload): ...

    assert everything.retry == retry(
        max_attempts=10, factor=1.8, min_timeout=0.5, max_timeout="30s"
    )
    assert everything.queue == queue("one-at-a-time", concurrency_limit=1)
    assert (everything.machine, everything.max_duration, everything.ttl) == ("medium-1x", 5400, 300)
    assert (everything.priority, everything.tags) == (-3, ("a", "b"))


def test_calling_it_runs_the_plain_function():
    @task
    def add(payload: int, ctx: Context | None = None) -> int:
        return payload + 1

    assert add(41) == 42


def test_calling_an_async_one_gives_its_coroutine():
    @task
    async def add(payload: int) -> int:
        return payload + 1

    assert isinstance(add, AsyncTask)
    assert asyncio.run(add(41)) == 42


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (lambda: None, (None, None)),
        (lambda payload: None, ("payload", None)),
        (lambda ctx: None, (None, "ctx")),
        (lambda payload, ctx: None, ("payload", "ctx")),
        (lambda payload, *, ctx: None, ("payload", "ctx")),
        (lambda order, ctx=None: None, ("order", "ctx")),
    ],
)
def test_reads_the_signature(body, names):
    made = define(body, id="any")
    assert (made.body.payload_name, made.body.context_name) == names


def test_finds_the_context_by_its_annotation():
    def body(payload, context: Context): ...

    assert define(body).body.context_name == "context"


def test_refuses_more_parameters():
    with pytest.raises(TypeError, match="one payload"):
        define(lambda first, second: None, id="two")


def test_refuses_what_is_no_function():
    with pytest.raises(TypeError, match="needs a function"):
        define(Point, id="class")


def test_refuses_a_type_nobody_can_validate():
    with pytest.raises(TypeError, match="cannot be validated"):
        define(lambda payload: None, id="odd", schema=asyncio.Lock)


@pytest.mark.parametrize("name", ["", "x" * 257, "line\nbreak", 7])
def test_refuses_an_impossible_id(name):
    with pytest.raises(InvalidOption):
        define(lambda: None, id=name)


def test_refuses_a_second_task_of_the_same_id():
    task(id="same")(lambda payload: 1)
    with pytest.raises(DuplicateTaskIds, match=r"test_tasks\.py:\d+ and .*test_tasks\.py:\d+"):

        @task(id="same")
        def other(): ...


def test_the_same_definition_may_be_imported_again():
    first, again = (define(body, id="again") for body in [lambda: 1] * 2)
    assert registry.get("again") is again is not first


def test_trigger_hands_over_payload_and_options(fake_runtime):
    @task
    def charge(payload: Order): ...

    moment = datetime(2030, 1, 1, tzinfo=UTC)
    handle = charge.trigger(
        Order(id=7),
        delay=moment,
        ttl="10m",
        idempotency_key=["order", "7"],
        idempotency_key_ttl="1d",
        tags="vip",
        metadata={"step": 1},
        queue="paid",
        concurrency_key=12,
        priority=2,
        max_attempts=0,
        max_duration=1,
        machine="micro",
        version="v1",
        test=True,
    )
    assert (handle.id, handle.task_id, handle.is_cached) == ("run_0", "charge", False)
    assert fake_runtime.last.payload == '{"id":7,"note":"none"}'
    assert fake_runtime.last.validated
    assert fake_runtime.last.options == {
        "delay": moment,
        "ttl": 600,
        "idempotency_key": "order-7",
        "idempotency_scope": "global",
        "idempotency_ttl": 86400,
        "tags": ("vip",),
        "metadata": '{"step":1}',
        "queue": "paid",
        "concurrency_key": "12",
        "priority": 2.0,
        "max_attempts": 1,
        "max_duration": 5.0,
        "machine": "micro",
        "version": "v1",
        "is_test": True,
    }


def test_a_debounce_is_a_key_and_durations(fake_runtime):
    @task
    def later():
        """Nothing."""

    later.trigger(debounce={"key": "k", "delay": "10s", "mode": "trailing", "max_delay": "1m"})
    assert fake_runtime.last.options == {"debounce": Debounce("k", 10.0, "trailing", 60.0)}


def test_a_delay_may_be_written_in_several_ways(fake_runtime):
    @task
    def later(): ...

    for delay in (90, "1m30s", timedelta(seconds=90)):
        later.trigger(delay=delay)
        assert fake_runtime.last.options == {"delay": 90.0}
    later.trigger(delay="2030-01-01T00:00:00Z")
    assert fake_runtime.last.options == {"delay": datetime(2030, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    "options",
    [
        {"delay": "soon"},
        {"debounce": "key"},
        {"debounce": {"key": "k"}},
        {"debounce": {"key": 1, "delay": 5}},
        {"debounce": {"key": "k", "delay": 5, "wait": 1}},
        {"delay": datetime(2030, 1, 1)},  # noqa: DTZ001
        {"delay": "2030-13-01T00:00:00Z"},
        {"ttl": -1},
        {"tags": [1]},
        {"metadata": [1]},
        {"metadata": {"x": object()}},
        {"queue": ""},
        {"concurrency_key": None, "priority": "high"},
        {"priority": float("nan")},
        {"max_attempts": 1.5},
        {"machine": "huge"},
        {"idempotency_key": ""},
        {"idempotency_key": 7},
        {"idempotency_key": "x" * 2049},
        {"retries": 3},
    ],
)
def test_refuses_wrong_options(fake_runtime, options):
    @task
    def any_task(): ...

    with pytest.raises(InvalidOption):
        any_task.trigger(**options)
    assert fake_runtime.launches == []


def test_an_invalid_payload_makes_no_run(fake_runtime):
    @task
    def charge(payload: list[Order]): ...

    with pytest.raises(InvalidPayload) as caught:
        charge.trigger([{"id": 1}, {"id": "many"}])
    assert caught.value.path == "$[1].id"
    assert fake_runtime.launches == []


def test_a_payload_without_json_form_makes_no_run():
    @task
    def any_task(payload): ...

    with pytest.raises(InvalidPayload) as caught:
        any_task.trigger({"when": [object()]})
    assert caught.value.path == "$.when[0]"


def test_by_id_a_known_task_validates(fake_runtime):
    @task(id="known")
    def known(payload: Order): ...

    with pytest.raises(InvalidPayload):
        tasks.trigger("known", {"id": "many"})
    tasks.trigger("known", {"id": 1}, tags=["x"])
    assert fake_runtime.last.validated


def test_by_id_an_unknown_task_is_left_to_its_stored_schema(fake_runtime):
    handle = tasks.trigger("elsewhere", {"id": "many"})
    assert handle.task_id == "elsewhere"
    assert not fake_runtime.last.validated


def test_batch_trigger_is_one_request(fake_runtime):
    @task
    def charge(payload: Order): ...

    runs = charge.batch_trigger(
        [{"payload": Order(id=number), "options": {"tags": [str(number)]}} for number in range(3)]
    )
    assert [run.id for run in runs] == ["run_0", "run_1", "run_2"]
    assert [launch.options["tags"] for launch in fake_runtime.launches] == [("0",), ("1",), ("2",)]


@pytest.mark.parametrize("item", [{"payload": {"id": "x"}}, {"id": 2}, 7])
def test_a_bad_item_is_named_and_nothing_is_triggered(fake_runtime, item):
    @task
    def charge(payload: Order): ...

    with pytest.raises((InvalidPayload, InvalidOption), match="Item 1"):
        tasks.batch_trigger("charge", [{"payload": {"id": 1}}, item])
    assert fake_runtime.launches == []


def test_the_concurrency_key_may_come_from_the_payload(fake_runtime):
    @task(concurrency_key=lambda order: order.id)
    def charge(payload: Order): ...

    charge.trigger(Order(id=7))
    assert fake_runtime.last.options == {"concurrency_key": "7"}
    charge.trigger(Order(id=7), concurrency_key="mine")
    assert fake_runtime.last.options == {"concurrency_key": "mine"}


def test_a_stated_json_schema_is_enforced():
    @task(schema={"type": "object", "required": ["id"]})
    def charge(payload): ...

    charge.trigger({"id": 1})
    with pytest.raises(InvalidPayload):
        charge.trigger({})


@pytest.mark.parametrize("kind", [Order, Point, list[int], dict[str, Order], int | None])
def test_draws_a_json_schema(kind):
    assert define(lambda payload: None, id="any", schema=kind).schema.json_schema()


def test_needs_a_runtime():
    runtime.install(None)
    runtime.install(None)
    with pytest.raises(NotReady, match="INSTALLED_APPS"):
        define(lambda: None, id="any").trigger()


def test_the_concurrency_key_may_be_a_place_in_the_payload(fake_runtime):
    @task(concurrency_key="$.id")
    def charge(payload: Order): ...

    charge.trigger(Order(id=7))
    assert fake_runtime.last.options == {"concurrency_key": "7"}
    with pytest.raises(
        InvalidOption, match=r"Task “bad”: concurrency_key is a function .* \$\.customer\.id"
    ):
        task(id="bad", concurrency_key="customer")(lambda payload: None)


@pytest.mark.parametrize("schema", [{"type": 5}, {"type": "objct"}, {"minimum": "low"}])
def test_a_schema_that_is_none_is_refused_where_it_is_defined(schema):
    with pytest.raises(InvalidOption, match="Task “x”: schema is no JSON Schema"):
        task(id="x", schema=schema)(lambda payload: None)

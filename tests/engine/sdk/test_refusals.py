# mypy: disable-error-code="arg-type, call-overload, type-var, unused-ignore, list-item, misc, attr-defined, name-defined, call-arg, union-attr, return-value"
"""Wrong input is refused where it is written: by option, with the value, and with what is allowed."""

import functools
import sys
import typing
from datetime import datetime, timedelta

import pytest
import typing_extensions
from pydantic import BaseModel

from engine import (
    CannotWaitHere,
    InvalidOption,
    InvalidPayload,
    batch,
    defaults,
    hooks,
    queue,
    retry,
    schedule,
    step,
    task,
    tasks,
    wait,
)
from engine.registry import registry


class Odd:
    """No type that JSON can be made into."""


def body(payload, ctx): ...


async def later(payload): ...


NEVER = "0 0 31 2 *"
DEFINITIONS = [
    ({"id": 5}, "id", "1 to 256 characters; got 5"),
    ({"id": "a\nb"}, "id", "printable"),
    ({"description": 5}, "description", "text; got 5"),
    ({"description": "\ud800"}, "description", "cannot be stored"),
    ({"retry": "3"}, "retry", "or a dict; got '3'"),
    ({"retry": {"attempts": 3}}, "retry", "no option “attempts”.*mean “max_attempts”.*Options: factor"),
    ({"retry": {"max_attempts": 0}}, "retry.max_attempts", "1 to 250; got 0"),
    ({"retry": {"max_attempts": "3"}}, "retry.max_attempts", "1 to 250; got '3'"),
    ({"retry": {"factor": "2"}}, "retry.factor", "0 to 1000000; got '2'"),
    ({"retry": {"min_timeout": -1}}, "retry.min_timeout", "seconds.*got '-1'"),
    ({"retry": {"randomize": "no"}}, "retry.randomize", "True or False; got 'no'"),
    ({"retry": {5: 3, "a": 1}}, "retry", "retry has no option “5”"),
    ({"retry": {"maxAttempts": 3}}, "retry", "Do you mean “max_attempts”"),
    ({"retry": {"min_timeout": "5m"}}, "retry.min_timeout", r"300 seconds is longer than retry.max_timeout \(60, its default\)"),
    ({"retry": {"min_timeout": 2, "max_timeout": 1}}, "retry.min_timeout", r"2 seconds.*\(1\)"),
    ({"retry": {"min_timeout_in_ms": "1h"}}, "retry.min_timeout_in_ms", "milliseconds from 0; got '1h'"),
    ({"retry": {"max_timeout_in_ms": -5}}, "retry.max_timeout_in_ms", "milliseconds from 0; got -5"),
    ({"retry": {"min_timeout_in_ms": 5, "min_timeout": 1}}, "retry.min_timeout_in_ms", "both.*state one"),
    ({"retry": {"min_timeout": 10**400}}, "retry.min_timeout", "from 0 to 100 years"),
    ({"retry": {"out_of_memory": {"machine": "micro"}}, "machine": "large-1x"}, "retry.out_of_memory", "micro.*no more memory than.*large-1x"),
    ({"retry": {"only": [5]}}, "retry.only", "exception classes.*got 5"),
    ({"retry": {"out_of_memory": "big"}}, "retry", "out_of_memory is"),
    ({"retry": {"out_of_memory": {"machine": "big"}}}, "retry.out_of_memory", "large-2x; got 'big'"),
    ({"queue": 5}, "queue", "its name, or a dict; got 5"),
    ({"queue": ["a"]}, "queue", r"or a dict; got \['a'\]"),
    ({"queue": "ä"}, "queue", "128 letters.*got 'ä'"),
    ({"queue": {"limit": 1}}, "queue", "no option “limit”.*Options: concurrency_limit"),
    ({"queue": {"concurrency_limit": -1}}, "concurrency_limit", "0 to 100000; got -1"),
    ({"machine": "huge"}, "machine", "one of micro.*got 'huge'"),
    ({"machine": {"cpu": -1, "memory": 1}}, "machine", "number from 0; got -1"),
    ({"machine": {"cpu": 99}}, "machine", "No machine preset has 99 vCPU"),
    ({"machine": {"ram": 2}}, "machine", '"cpu".*got'),
    ({"max_duration": -1}, "max_duration", "seconds.*got '-1'"),
    ({"max_duration": True}, "max_duration", "seconds.*got 'True'"),
    ({"max_duration": float("nan")}, "max_duration", "seconds.*got 'nan'"),
    ({"max_duration": 10**400}, "max_duration", "from 0 to 100 years"),
    ({"ttl": "soon"}, "ttl", "“1h30m”.*got 'soon'"),
    ({"priority": "high"}, "priority", "a number; got 'high'"),
    ({"priority": float("inf")}, "priority", "-2147483 to 2147483; got inf"),
    ({"priority": -(10**400)}, "priority", "-2147483 to 2147483; got -1"),
    ({"tags": 5}, "tags", "list of texts; got 5"),
    ({"tags": ""}, "tags", "1 to 128 characters"),
    ({"tags": "x" * 129}, "tags", "1 to 128 characters"),
    ({"tags": [f"t{n}" for n in range(11)]}, "tags", "at most 10 tags; got 11"),
    ({"tags": "\x00"}, "tags", "cannot be stored"),
    ({"concurrency_key": "customer"}, "concurrency_key", r"as \$\.customer\.id.*got 'customer'"),
    ({"concurrency_key": lambda: "a"}, "concurrency_key", "takes the payload.*got <function"),
    ({"concurrency_key": lambda payload, ctx: "a"}, "concurrency_key", "takes the payload"),
    ({"concurrency_key": later}, "concurrency_key", "takes the payload"),
    ({"schema": lambda: 1}, "schema", "takes the payload and returns"),
    ({"schema": later}, "schema", "takes the payload and returns"),
    ({"schema": {"type": "objekt"}}, "schema", "no JSON Schema.*'objekt'"),
    ({"schema": {"a": {1}}}, "schema", "no JSON Schema"),
    ({"schema": {"$ref": "#/nowhere"}}, "schema", "no JSON Schema.*nowhere"),
    ({"schema": {"$ref": "https://example.com/x"}}, "schema", "no JSON Schema.*example"),
    ({"schema": {"pattern": "("}}, "schema", "'\\(' is not a 'regex'"),
    ({"schema": {"patternProperties": {"(": {}}}}, "schema", "is not a 'regex'"),
    ({"schema": Odd}, "schema", "Odd.*cannot be validated.*pydantic model"),
    ({"schema": 5}, "schema", "5 cannot be validated"),
    ({"schema": "Order"}, "schema", "'Order' cannot be validated"),
    ({"schedule": NEVER}, "cron", "its months must have it"),
    ({"schedule": "* * * * * *"}, "cron", "Seconds are not allowed"),
    ({"schedule": {"cron": "0 5 * * *", "timezone": "Mars"}}, "timezone", "no 'Mars'"),
    ({"schedule": {"cron": "0 5 * * *", "environments": ["moon"]}}, "environments", "staging, prod"),
    ({"schedule": {"cron": "0 5 * * *", "every": 5}}, "schedule", "no option “every”.*Options: catch_up, cron"),
    ({"schedule": 5}, "schedule", "or text; got 5"),
    ({"overlap": "never"}, "overlap", "allow, skip.*got 'never'"),
    ({"on_success": "mail"}, "on_success", "a function; got 'mail'"),
    ({"on_success": max}, "on_success", "Nobody can tell what the on_success hook max asks for"),
    ({"catch_error": later, "handle_error": body}, "handle_error", "has the catch_error hook later already"),
    ({"machine": {"cpu": 10**400}}, "machine", "number from 0"),
    ({"on_success": lambda nope: nope}, "on_success", "asks for “nope”; it may ask for payload"),
    ({"on_failure": lambda: (yield)}, "on_failure", "generator"),
    ({"middleware": lambda: None}, "middleware", "must ask for “next”"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "option", "said"), DEFINITIONS)
def test_a_wrong_option_is_refused_where_the_task_is_defined(options, option, said):
    with pytest.raises(InvalidOption, match=f"(?s){said}") as refusal:
        task(**{"id": "charge"} | options)(body)
    assert refusal.value.option == option
    message = str(refusal.value)
    assert message.count("Task “") == (0 if option == "id" else 1)
    assert "charge" in message or option == "id"
    assert len(registry) == 0


@pytest.mark.parametrize("name", ["max_duraton", "on_sucess"])
def test_an_unknown_option_or_hook_is_named_with_those_there_are(name):
    with pytest.raises(
        InvalidOption, match=rf"“charge”: @task.*“{name}”.*Options: .*max_duration.*on_success"
    ) as refusal:
        task(**{"id": "charge", name: 5})
    assert refusal.value.option == name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("maxDuration", "max_duration"),
        ("onSuccess", "on_success"),
        ("cron", "schedule"),
        ("json_schema", "schema"),
        ("retries", "retry"),
        ("concurency_key", "concurrency_key"),
    ],
)
def test_the_option_that_was_meant_is_named(name, meant):
    with pytest.raises(InvalidOption, match=f"“{name}”. Do you mean “{meant}”"):
        task(**{name: 5})


def test_a_hook_nobody_has_is_named_with_those_there_are():
    for owner in (hooks, task(body)):
        with pytest.raises(AttributeError, match=r"has no “on_sucess”. Hooks: .*on_success"):
            owner.on_sucess(body)
        assert not hasattr(owner, "anything")


def bare_decorator(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def generator(payload):
    yield payload


async def async_generator(payload):
    yield payload


def unresolved(payload: "Nowhere"): ...  # noqa: F821


def too_many(payload, customer, order): ...


BODIES = [
    (5, "needs a function, not 5"),
    (Odd, "needs a function"),
    (print, "needs a function"),
    ("mail", r"by its name: @task\(id='mail'\)"),
    (generator, "generator"),
    (async_generator, "generator"),
    (bare_decorator(body), r"\*args.*functools\.wraps"),
    (lambda payload, /: None, "positional-only"),
    (too_many, "payload, customer, order.*one payload"),
    (unresolved, "does not resolve.*'Nowhere'"),
]


@pytest.mark.parametrize(("function", "said"), BODIES)
def test_what_cannot_be_a_body_is_refused(function, said):
    with pytest.raises(InvalidOption, match=f"Task “charge”: .*{said}") as refusal:
        task(id="charge")(function)
    assert refusal.value.option == "body"
    assert isinstance(refusal.value, TypeError)


def test_a_decorator_that_wraps_is_fine():
    @task(id="charge")
    @functools.wraps(body)
    def wrapper(*args, **kwargs): ...

    assert registry.get("charge").body.payload_name == "payload"


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there pydantic takes either")
def test_the_older_typed_dict_says_which_one_to_take():
    class Posting(typing.TypedDict):
        account: str

    def post(payload: Posting): ...

    with pytest.raises(InvalidOption, match=r"“post”.*typing_extensions\.TypedDict"):
        task(post)


def test_typed_dicts_with_parts_that_may_be_missing_are_validated():
    class Address(typing_extensions.TypedDict, total=False):
        city: str

    class Posting(typing_extensions.TypedDict):
        account: str
        address: typing_extensions.NotRequired[Address]

    def post(payload: Posting): ...

    made = task(post)
    assert made.schema.parse('{"account": "a", "address": {}}') == {"account": "a", "address": {}}
    for wrong, path in (('{"address": {}}', "$.account"), ('{"account": "a", "address": {"city": 1}}', "$.address.city")):  # fmt: skip
        with pytest.raises(InvalidPayload) as refusal:
            made.schema.parse(wrong)
        assert refusal.value.path == path


class Parcel(BaseModel):
    rows: list["Row"]


class Lost(BaseModel):
    rows: list["Nobody"]  # noqa: F821


def test_a_type_may_name_what_stands_below_the_task():
    def send(payload: Parcel): ...

    made = task(send)
    assert made.schema.parse('{"rows": [{"count": 1}]}').rows[0].count == 1
    made.schema.check()
    assert '"count"' in made.schema.json_schema()


class Row(BaseModel):
    count: int


def test_a_type_that_names_nobody_is_refused_when_all_code_is_there(fake_runtime):
    def send(payload: Lost): ...

    made = task(send)
    for call in (made.schema.check, lambda: made.trigger(None)):
        with pytest.raises(
            InvalidOption, match=r"Lost'?> cannot be validated: .*Nobody"
        ) as refusal:
            call()
        assert refusal.value.option == "schema"


def test_what_pydantic_says_of_itself_is_left_out():
    with pytest.raises(InvalidOption) as refusal:
        task(id="charge", schema=Odd)(body)
    assert str(refusal.value) == (
        f"Task “charge”: The payload's type {Odd} cannot be validated: Unable to generate "
        f"pydantic-core schema for {Odd}. Use a pydantic model, a dataclass, a TypedDict or a plain "
        "JSON type, or state schema=."
    )


def test_a_key_that_is_no_key_names_the_task(fake_runtime):
    made = task(id="charge", concurrency_key=lambda payload: ["a"])(body)
    with pytest.raises(InvalidOption, match="Task “charge”: concurrency_key must be text"):
        made.trigger(None)


def test_a_function_may_be_the_schema():
    def parsed(value):
        if "@" not in value:
            raise ValueError("it is no address")
        return value.lower()

    made = task(id="mail", schema=parsed)(body)
    assert made.schema.parse('"ADA@example.com"') == "ada@example.com"
    with pytest.raises(InvalidPayload, match="it is no address"):
        made.schema.parse('"ada"')


def test_references_and_patterns_of_a_schema_work():
    schema = {
        "$defs": {"name": {"type": "string", "pattern": "^a"}},
        "properties": {"$ref": {"type": "string"}, "to": {"$ref": "#/$defs/name"}},
        "default": {"$ref": "only data"},
    }
    made = task(id="mail", schema=schema)(body)
    assert made.schema.parse('{"to": "ada"}') == {"to": "ada"}
    with pytest.raises(InvalidPayload):
        made.schema.parse('{"to": "ben"}')


NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001
TRIGGERS = [
    ({"delay": -1}, "delay", "seconds.*got '-1'"),
    ({"delay": "soon"}, "delay", "“1h30m”.*got 'soon'"),
    ({"delay": NAIVE}, "delay", "time zone"),
    ({"ttl": -5}, "ttl", "got '-5'"),
    ({"max_attempts": 2.5}, "max_attempts", "whole number; got 2.5"),
    ({"max_duration": "x"}, "max_duration", "got 'x'"),
    ({"machine": "huge"}, "machine", "got 'huge'"),
    ({"priority": "high"}, "priority", "a number; got 'high'"),
    ({"priority": 1e12}, "priority", "-2147483 to 2147483"),
    ({"queue": 5}, "queue", "got '5'"),
    ({"tags": [1]}, "tags", r"got \[1\]"),
    ({"tags": ["", "a"]}, "tags", "1 to 128 characters"),
    ({"metadata": [1]}, "metadata", r"a dict; got \[1\]"),
    ({"metadata": {"a": object()}}, "metadata", r"\$\.a.*no JSON form"),
    ({"concurrency_key": 1j}, "concurrency_key", "text; got 1j"),
    ({"idempotency_key": 5}, "idempotency_key", "got 5"),
    ({"idempotency_key_ttl": "x"}, "idempotency_key_ttl", "got 'x'"),
    ({"debounce": {"key": "a"}}, "debounce", "'delay'"),
    ({"debounce": {"key": "a", "delay": -1}}, "debounce.delay", "got '-1'"),
    ({"debounce": {"key": 5, "delay": 1}}, "debounce.key", "text; got 5"),
    ({"debounce": {"key": "a", "delay": 1, "mode": 5}}, "debounce.mode", "text; got 5"),
    ({"debounce": "a"}, "debounce", "with mode and max_delay if wanted; got 'a'"),
    ({"version": 5}, "version", "text; got 5"),
    ({"version": ""}, "version", "leave it out for any"),
    ({"test": "yes"}, "test", "True or False; got 'yes'"),
    ({"delay": 10**400}, "delay", "from 0 to 100 years; got '1000"),
    ({"priority": 10**400}, "priority", "-2147483 to 2147483"),
    ({"idempotency_key": ["a", 5]}, "idempotency_key", r"not empty; got \['a', 5\]"),
    ({"idempotency_key": "x" * 2049}, "idempotency_key", "2048 characters; got 2,049"),
    ({"dealy": 5}, "dealy", "no option “dealy”. Do you mean “delay”"),
    ({"idempotencyKey": "a"}, "idempotencyKey", "Do you mean “idempotency_key”"),
]


@pytest.mark.parametrize(("options", "option", "said"), TRIGGERS)
def test_a_wrong_option_of_a_trigger_is_refused_by_it(fake_runtime, options, option, said):
    made = task(id="charge")(body)
    for trigger in (
        lambda: made.trigger(None, **options),
        lambda: tasks.trigger("charge", None, **options),
        lambda: tasks.trigger("elsewhere", None, **options),
        lambda: made.batch_trigger([{"payload": 1}, {"payload": 2, "options": options}]),
    ):
        with pytest.raises(
            InvalidOption, match=f"(?s)Task “(charge|elsewhere)”: .*{said}"
        ) as refusal:
            trigger()
        assert refusal.value.option == option
    assert "Item 1: " in str(refusal.value)
    assert fake_runtime.launches == []


@pytest.mark.parametrize(
    "items", [5, "ab", None, {"payload": 1}, [5], [{"opts": 1}], [{"options": 5}]]
)
def test_what_is_no_list_of_items_is_refused(fake_runtime, items):
    made = task(id="charge")(body)
    for trigger in (
        made.batch_trigger,
        lambda items: tasks.batch_trigger("x", items),
        batch.trigger,
    ):
        with pytest.raises(InvalidOption, match="got") as refusal:
            trigger(items)
        assert refusal.value.option == "items"
    assert fake_runtime.launches == []


def test_a_payload_without_json_form_is_refused_with_its_place(fake_runtime):
    made = task(id="charge")(body)
    with pytest.raises(InvalidPayload, match=r"\$\.rows\[1\].*no JSON form") as refusal:
        made.trigger({"rows": [1, object()]})
    assert refusal.value.path == "$.rows[1]"


@pytest.mark.parametrize(
    ("call", "option"),
    [
        (lambda: retry(max_attempts=0), "retry.max_attempts"),
        (lambda: retry(min_timeout=timedelta(-1)), "retry.min_timeout"),
        (lambda: retry.on_throw(print, max_attempts=-1), "retry.max_attempts"),
        (lambda: retry.on_throw(5), "function"),
        (lambda: retry.fetch("http://a.test", retry={"by_status": {"7xx": {}}}), "retry"),
        (lambda: queue(""), "queue"),
        (lambda: queue("a", limit=1), "limit"),
        (lambda: schedule("0 5 * * *", every=1), "every"),
        (lambda: defaults(retries=1), "retries"),
        (lambda: queue("a", concurrency_limit=1.5), "concurrency_limit"),
        (lambda: schedule(NEVER), "cron"),
        (lambda: schedule("0 5 * * *", catch_up="some"), "catch_up"),
        (lambda: defaults(machine="huge"), "machine"),
        (lambda: defaults(retry=5), "retry"),
        (lambda: hooks.on_success(5), "on_success"),
        (lambda: hooks.add_hook("on_sucess", body), "on_sucess"),
        (lambda: hooks.add_hook("on_success", body, name=5), "name"),
    ],
)
def test_what_stands_alone_is_refused_too(fake_runtime, call, option):
    with pytest.raises(InvalidOption) as refusal:
        call()
    assert refusal.value.option == option


def test_a_wrong_default_says_where_it_stands():
    with pytest.raises(InvalidOption, match=r"defaults\(\.\.\.\): ttl must be"):
        defaults(ttl=-1)


@pytest.mark.parametrize(
    "call", [lambda: wait(5), lambda: step("a", print), lambda: task(body).trigger_and_wait()]
)
def test_outside_of_a_run_nothing_waits(call):
    with pytest.raises(
        CannotWaitHere, match=r"outside of a task\. It works in the body of a run only"
    ):
        call()

"""The sample tasks of a fresh checkout work."""

from pathlib import Path

import pytest

from engine import discovery, hooks
from engine.execution.outcomes import Failed, Succeeded
from engine.registry import registry
from engine.sdk.hookkinds import Hook
from tests.engine.support import Sink, carry_out

#: The hooks that `init.py` registered.
GLOBAL: list[Hook] = []
EXAMPLES = Path(__file__).parents[2] / "examples" / "tasks"


@pytest.fixture(scope="module")
def examples():
    broken = list(discovery.import_directories([EXAMPLES], discovery.Importer()))
    assert broken == []
    GLOBAL[:] = hooks.of_kind("on_failure")
    hooks.forget()
    return {task.id: task for task in registry}


@pytest.fixture(autouse=True)
def _registered(examples, monkeypatch):
    monkeypatch.setattr(registry, "_tasks", examples)


INVOICE = '{"customer": "c_1", "due": "2030-01-01", "items": [{"title": "tea", "price": "1.50"}]}'


@pytest.mark.parametrize(
    ("task_id", "payload", "ends"),
    [
        ("hello", None, Succeeded),
        ("fetch-pages", '["a", "b"]', Succeeded),
        ("flaky", '{"chance": 0}', Failed),
        ("flaky", '{"chance": 1}', Succeeded),
        ("unreadable-rows", None, Failed),
        ("unknown-customer", None, Failed),
        ("send-invoice", INVOICE, Succeeded),
        ("send-invoice", "{}", Failed),
        ("convert-video", '{"seconds": 0}', Succeeded),
        ("post-amount", '{"account": "anna", "amount": 1}', Succeeded),
        ("post-salaries", None, Succeeded),
        ("with-middleware", None, Succeeded),
        ("with-middleware", '{"total": -1}', Failed),
        ("all-hooks", None, Succeeded),
        ("all-hooks", '{"fail": 2}', Failed),
        ("ask-a-limited-service", '{"status": 429}', Failed),
        ("ask-a-limited-service", '{"status": 0}', Succeeded),
        ("count-until-canceled", '{"seconds": 0}', Succeeded),
        ("crash", '{"survive": true}', Succeeded),
        ("older-hooks", None, Succeeded),
        ("retry-a-block", '{"chance": 1}', Succeeded),
        ("fetch-orders", None, Succeeded),
        ("picky-retries", None, Failed),
        ("render-poster", None, Failed),
    ],
)
@pytest.mark.usefixtures("fake_runtime")
def test_ends_as_it_says(examples, task_id, payload, ends):
    assert isinstance(carry_out(examples[task_id], payload), ends)


def test_hello_logs(examples):
    carry_out(examples["hello"], '{"name": "Ada"}', sink=(sink := Sink()))
    assert sink.messages == ['greeting {"name": "Ada"}']


def messages(examples, task_id, payload=None, **facts):
    carry_out(examples[task_id], payload, sink=(sink := Sink()), **facts)
    return [line.partition(" {")[0] for line in sink.messages]


def test_every_hook_of_the_example_speaks(examples):
    assert messages(examples, "all-hooks") == ["on_start_attempt", "on_success", "on_complete"]
    failed = ["on_start_attempt", "catch_error", "on_failure", "on_complete"]
    assert messages(examples, "all-hooks", '{"fail": 9}', attempt=2, max_attempts=2) == failed
    assert messages(examples, "older-hooks") == ["on_start: the first attempt only", "cleanup"]
    assert messages(examples, "with-middleware") == ["connected", "disconnected"]


def test_the_retries_of_the_examples(examples):
    def delay(task_id, payload, **facts):
        return carry_out(examples[task_id], payload, **facts).retry_delay

    assert delay("ask-a-limited-service", None) == pytest.approx(2, abs=0.5)
    assert delay("ask-a-limited-service", '{"status": 401}') is None
    assert delay("picky-retries", '{"error": "connection"}') is not None
    assert delay("picky-retries", '{"error": "permission"}') is None
    assert delay("picky-retries", '{"error": "mistake"}') is None
    assert carry_out(examples["render-poster"], machine="micro").machine == "medium-1x"
    large = carry_out(examples["render-poster"], machine="medium-1x")
    assert large == Succeeded('"rendered on medium-1x"')


def test_a_request_is_repeated_until_the_service_answers(examples):
    outcome = carry_out(examples["fetch-orders"])
    assert outcome == Succeeded('{"status":200,"orders":["tea","milk"]}')


def test_all_examples_share_the_hook_of_init_py(examples):
    assert [hook.name for hook in GLOBAL] == ["report_failure"]

"""The sample tasks of a fresh checkout work."""

from pathlib import Path

import pytest

from engine import discovery
from engine.execution.outcomes import Failed, Succeeded
from engine.registry import registry
from tests.engine.support import Sink, carry_out

EXAMPLES = Path(__file__).parents[2] / "examples" / "tasks"


@pytest.fixture(scope="module")
def examples():
    broken = list(discovery.import_directories([EXAMPLES], discovery.Importer()))
    assert broken == []
    return {task.id: task for task in registry}


@pytest.fixture(autouse=True)
def _registered(examples, monkeypatch):
    monkeypatch.setattr(registry, "_tasks", examples)


FIRE = '{"timestamp": "2030-01-01T05:00:00.000Z", "upcoming": ["2030-01-02T05:00:00.000Z"]}'
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
        ("nightly-cleanup", FIRE, Succeeded),
        ("customer-report", FIRE, Succeeded),
        ("customer-report", "{}", Failed),
        ("sign-up", '{"customer": "c_42"}', Succeeded),
    ],
)
@pytest.mark.usefixtures("fake_runtime")
def test_ends_as_it_says(examples, task_id, payload, ends):
    assert isinstance(carry_out(examples[task_id], payload), ends)


def test_hello_logs(examples):
    carry_out(examples["hello"], '{"name": "Ada"}', sink=(sink := Sink()))
    assert sink.messages == ['greeting {"name": "Ada"}']

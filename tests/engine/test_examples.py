"""The sample tasks of a fresh checkout work."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone

from engine import discovery, wait, wakeup
from engine.execution.outcomes import Failed, Succeeded
from engine.registry import registry
from engine.sdk import replay
from runs import ids
from runs.lifecycle import definitions, tokens
from runs.models import Run, Waitpoint
from tests.engine.support import Sink, carry_out
from tests.support.driver import Driver

EXAMPLES = Path(__file__).parents[2] / "examples" / "tasks"


@pytest.fixture(scope="module")
def examples():
    broken = list(discovery.import_directories([EXAMPLES], discovery.Importer()))
    assert broken == []
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
    ],
)
@pytest.mark.usefixtures("fake_runtime")
def test_ends_as_it_says(examples, task_id, payload, ends):
    assert isinstance(carry_out(examples[task_id], payload), ends)


def test_hello_logs(examples):
    carry_out(examples["hello"], '{"name": "Ada"}', sink=(sink := Sink()))
    assert sink.messages == ['greeting {"name": "Ada"}']


@pytest.fixture
def driver(db, monkeypatch):
    monkeypatch.setattr(wakeup, "hint", lambda message: None)
    monkeypatch.setattr(replay, "is_in_transaction", lambda: False)
    monkeypatch.setattr(ids, "_last", 0)
    definitions.forget()
    return Driver()


def output(run):
    return json.loads(Run.objects.get(pk=run.pk).output)


def test_an_order_is_charged_once_and_closed_after_its_time(examples, driver):
    parcels = [{"warehouse": "north", "weight": 2}, {"warehouse": "south", "weight": 99}]
    payload = json.dumps({"number": "A7", "parcels": parcels})
    run = driver.finish(examples["fulfil-order"], payload)
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=True):
        driver.due()  # the retries of the parcel that is too heavy
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=True):
        driver.due()
    assert Run.objects.get(pk=run.pk).status == "WAITING"
    with time_machine.travel(timezone.now() + timedelta(days=15), tick=True):
        driver.due()
    assert output(run) == {
        "payment": "payment of A7",
        "tracking": ["NO-2000"],
        "missing": ["99 kg is too heavy for a parcel"],
    }
    assert sum("charging" in message for message in driver.logs.messages) == 1


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"approved": True, "amount": 30}, "paid 30.00 to Ada"),
        ({"approved": False, "amount": 0, "comment": "too late"}, "refused for Ada: too late"),
        (None, "refused for Ada: nobody decided in time"),
    ],
)
def test_a_refund_is_decided_by_a_person(examples, driver, answer, result):
    run = driver.finish(examples["refund"], '{"customer": "Ada", "amount": 50}')
    token = Waitpoint.objects.get()
    if answer is None:
        tokens.time_out(token.pk, actor="user:ada")
    else:
        wait.complete_token(token.pk, answer)
    driver.until_idle()
    assert output(run) == result


def test_a_small_refund_asks_nobody(examples, driver):
    assert "paid" in driver.finish(examples["refund"], '{"customer": "Ada", "amount": 5}').output

"""The sample tasks of a fresh checkout work."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone

from engine import discovery, hooks, wait, wakeup
from engine.execution.outcomes import Failed, Succeeded
from engine.registry import registry
from engine.sdk import replay
from engine.sdk.hookkinds import Hook
from runs import ids
from runs.lifecycle import definitions, tokens
from runs.models import Run, Waitpoint
from tests.engine.support import Notebook, Sink, carry_out
from tests.support.driver import Driver

#: The hooks that `init.py` registered.
GLOBAL: list[Hook] = []
EXAMPLES = Path(__file__).parents[2] / "examples" / "tasks"


@pytest.fixture(scope="module")
def examples():
    broken = list(discovery.import_directories([EXAMPLES], discovery.Importer()))
    assert broken == []
    GLOBAL.extend(hooks.of_kind("on_failure"))  # a file is imported once
    hooks.forget()
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
        ("watch-parcel", '{"number": "p_7"}', Succeeded),
        ("flaky", '{"chance": 0}', Failed),
        ("flaky", '{"chance": 1}', Succeeded),
        ("unreadable-rows", None, Failed),
        ("unknown-customer", None, Failed),
        ("send-invoice", INVOICE, Succeeded),
        ("send-invoice", "{}", Failed),
        ("convert-video", '{"seconds": 0}', Succeeded),
        ("post-amount", '{"account": "anna", "amount": 1}', Succeeded),
        ("post-salaries", None, Succeeded),
        ("forecast", '"Oslo"', Succeeded),
        ("ask-weather", '{"account": "anna", "city": "Basel"}', Succeeded),
        ("ask-weather-everywhere", None, Succeeded),
        ("import-orders", '{"shop": 1, "seconds": 0}', Succeeded),
        ("rebuild-index", "0", Succeeded),
        ("render-preview", '{"shop": 1, "seconds": 0}', Succeeded),
        ("nightly-cleanup", FIRE, Succeeded),
        ("customer-report", FIRE, Succeeded),
        ("customer-report", "{}", Failed),
        ("sign-up", '{"customer": "c_42"}', Succeeded),
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
        ("github-push", '{"ref": "main", "commits": [{}]}', Succeeded),
        ("shop-order", '{"order": 7}', Succeeded),
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


def test_the_example_that_waits_says_so(examples):
    left = carry_out(examples["wait-with-hooks"], keeper=Notebook(), sink=(sink := Sink()))
    (entry,) = left.pause.entries
    journal = Notebook(entry._replace(due_at=entry.started_at))
    back = carry_out(examples["wait-with-hooks"], keeper=journal, resumed=True, sink=sink)
    assert back == Succeeded('"waited"')
    assert [line.partition(" {")[0] for line in sink.messages] == ["on_wait", "on_resume"]


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


def test_a_climate_run_and_its_forecasts_are_one_trace(examples, driver):
    run = driver.finish(examples["climate"], '{"cities": ["Oslo", "Quito"]}')
    told = output(run)
    assert (told["written"], len(told["today"])) == (2, 2)
    children = Run.objects.filter(parent_id=run.pk)
    traces = {child.traceparent.split("-")[1] for child in children}
    assert traces == {told["trace"].split("-")[1]}


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

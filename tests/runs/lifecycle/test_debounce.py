"""Many triggers, one run (features.md 7.3)."""

import json
import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.debounce import Debounce
from runs.errors import InvalidOption
from runs.lifecycle import TriggerItem, TriggerOptions
from runs.models import Debounced, Ready, Run, RunTag, Source
from runs.states import RunStatus
from tests.support.factories import parked_run, task, trigger

pytestmark = pytest.mark.django_db
KEY = Debounce("k", 10.0)
TRAILING = Debounce("k", 10.0, "trailing")


def ago(run, seconds):
    """As if the run had been triggered earlier."""
    earlier = timedelta(seconds=seconds)
    run.created_at, run.delay_until = run.created_at - earlier, run.delay_until - earlier
    Run.objects.filter(pk=run.pk).update(created_at=run.created_at, delay_until=run.delay_until)
    Ready.objects.filter(pk=run.pk).update(not_before=run.delay_until)


def test_a_later_trigger_puts_the_run_off():
    first = trigger(debounce=KEY)
    ago(first, 5)
    second = trigger(debounce=KEY)
    assert second.pk == first.pk
    assert (second.status, Run.objects.count()) == (RunStatus.DELAYED, 1)
    left = second.delay_until - timezone.now()
    assert timedelta(seconds=9) < left <= timedelta(seconds=10)
    ready = Ready.objects.get()
    assert (ready.not_before, ready.sort_key) == (second.delay_until, second.sort_key)
    assert json.loads(second.debounce) == {"key": "k", "delay": 10.0, "mode": "leading"}


def test_it_is_never_brought_forward():
    first = trigger(debounce=Debounce("k", 60.0))
    assert trigger(debounce=Debounce("k", 5.0)).delay_until == first.delay_until


def test_the_first_payload_wins_when_leading():
    trigger(payload="1", tags=("a",), debounce=KEY)
    run = trigger(payload="2", tags=("b",), debounce=KEY)
    assert (run.payload, run.tag_list) == ("1", ["a"])


def test_the_last_one_wins_when_trailing():
    trigger(payload="1", tags=("a",), priority=3.0, debounce=TRAILING)
    facts = {"metadata": '{"x": 1}', "max_attempts": 9, "max_duration": 9.0, "machine": "micro"}
    run = trigger(payload="2", tags=("b", "c"), priority=5.0, debounce=TRAILING, **facts)
    assert (run.payload, run.tag_list, run.priority) == ("2", ["b", "c"], 3.0)
    assert {name: getattr(run, name) for name in facts} == facts
    assert set(RunTag.objects.values_list("tag", flat=True)) == {"b", "c"}


@pytest.mark.parametrize("other", [{"task_id": "other"}, {"debounce": Debounce("other", 10.0)}])
def test_another_task_or_key_is_another_run(other):
    assert trigger(debounce=KEY).pk != trigger(**({"debounce": KEY} | other)).pk


def test_a_run_that_is_queued_already_is_left_alone():
    first = trigger(debounce=KEY)
    ago(first, 11)
    lifecycle.promote_due()
    second = trigger(debounce=KEY)
    assert second.pk != first.pk
    assert trigger(debounce=KEY).pk == second.pk


def test_a_run_whose_promotion_has_begun_is_left_alone():
    """The ready row is due already; the run's status follows in the same transaction."""
    first = trigger(debounce=KEY)
    ago(first, 5)
    Ready.objects.update(not_before=None)
    assert trigger(debounce=KEY).pk != first.pk


def test_a_canceled_run_is_replaced():
    first = trigger(debounce=KEY)
    lifecycle.cancel(first.pk, actor="test")
    assert trigger(debounce=KEY).pk != first.pk


def test_it_is_put_off_for_max_delay_at_most():
    asked = Debounce("k", 10.0, max_delay=25.0)
    first = trigger(debounce=asked)
    ago(first, 9)
    assert trigger(debounce=asked).pk == first.pk
    ago(first, 9)
    second = trigger(debounce=asked)
    assert second.pk != first.pk
    assert Run.objects.get(pk=first.pk).status == RunStatus.DELAYED


def test_a_parked_run_is_joined():
    first = parked_run(debounce=KEY)
    assert parked_run(debounce=TRAILING, max_attempts=7).pk == first.pk
    assert Run.objects.get().max_attempts == 7


def test_the_idempotency_key_is_asked_first():
    first = trigger(debounce=KEY)
    second = trigger(debounce=KEY, idempotency_key="i")
    assert second.pk == first.pk
    ago(first, 11)
    lifecycle.promote_due()
    assert trigger(debounce=KEY, idempotency_key="i").pk == first.pk


def test_a_batch_joins_itself():
    task("send")
    asked = TriggerOptions(debounce=TRAILING)
    items = [TriggerItem(task_id="send", payload=str(n), options=asked) for n in range(3)]
    made = lifecycle.trigger_many([*items, TriggerItem(task_id="send")], source=Source.SDK)
    assert [one.is_cached for one in made] == [False, True, True, False]
    assert Run.objects.get(pk=made[0].run_id).payload == "2"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Debounce("", 5.0), "1 to 512"),
        (Debounce("x" * 513, 5.0), "512"),
        (Debounce("a\x00", 5.0), "cannot be stored"),
        (Debounce("k", 0.5), "at least 1 second"),
        (Debounce("k", 5.0, "sideways"), "leading, trailing"),
        (Debounce("k", 5.0, max_delay=5.0), "longer"),
    ],
)
def test_what_cannot_be_is_refused(asked, says):
    task("send")
    with pytest.raises(InvalidOption, match=says):
        trigger(debounce=asked)


def test_a_delay_beside_it_is_refused():
    with pytest.raises(InvalidOption, match="of its debounce"):
        trigger(debounce=KEY, delay=5.0)


def test_keys_are_forgotten_with_their_runs():
    trigger(debounce=KEY)
    trigger(debounce=Debounce("other", 60.0))
    with time_machine.travel(timezone.now() + timedelta(seconds=30)):
        lifecycle.promote_due()
    assert lifecycle.prune_debounced() == 1
    assert Debounced.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_callers_one_makes_the_run():
    trigger()  # the task and its queue
    made = []

    def call():
        made.append(trigger(debounce=TRAILING).pk)
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert len(set(made)) == 1

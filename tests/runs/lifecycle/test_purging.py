from datetime import timedelta

import pytest
from django.db import connection, transaction  # noqa: F401  a mark names it
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption
from runs.lifecycle import Selection, attempts, purging
from runs.models import AuditLog, FinalHooks, Idempotency, Ready, Run, Source, Waiter
from runs.states import RunStatus
from tests.support.factories import (
    ERROR,
    claim,
    delayed_run,
    ended_run,
    executing_run,
    finish,
    history,
    parked_run,
    queue,
    session,
    suspend,
    task,
    trigger,
    waiting_run,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db


def purge(reason="", **chosen):
    selection = Selection(**chosen)
    return lifecycle.purge(selection.runs(), actor="user:ada", reason=reason, asked=selection.facts)


def test_what_was_never_started_is_canceled_and_the_rest_stays():
    runs = [waiting_run(), executing_run().run, ended_run()]
    queued = [trigger(), delayed_run(), parked_run("send2")]
    assert purge(task=["send", "send2"], reason="wrong file") == 3
    assert not Ready.objects.filter(pk__in=[run.pk for run in queued]).exists()
    for run in queued:
        run.refresh_from_db()
        assert (run.status, run.reason) == (RunStatus.CANCELED, "wrong file")
        assert history(run.pk) == ["triggered", "canceled"]
    for run in runs:
        assert Run.objects.get(pk=run.pk).status == run.status
    entry = AuditLog.objects.get(action="run.purge")
    assert (entry.actor, entry.reason) == ("user:ada", "wrong file")
    assert entry.data == '{"count": 3, "asked": {"task": ["send", "send2"]}}'


def test_a_run_that_is_to_be_tried_again_has_been_started():
    one = executing_run()
    finish(attempts.retry(*one.lease, ERROR, 0.0))
    assert one.run.status == RunStatus.QUEUED
    assert purge(task=["send"]) == 0


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({"queue": ["mail"]}, 1),
        ({"queue": ["mail", "task/send"]}, 4),
        ({"tag": ["a"]}, 1),
        ({"key": ["k"]}, 1),
        ({"status": ["DELAYED"]}, 1),
        ({"older_than": 0.0}, 4),
        ({"older_than": 60.0}, 0),
        ({"task": ["send"], "tag": ["b"]}, 0),
    ],
)
def test_by_filter(chosen, count):
    queue("mail")
    trigger(queue="mail"), trigger(tags=("a",)), trigger(concurrency_key="k"), delayed_run()
    assert lifecycle.purgeable(Selection(**chosen).runs()).count() == count
    assert purge(**chosen) == count


@pytest.mark.parametrize(
    ("chosen", "option"),
    [
        ({}, "purge"),
        ({"status": ["EXECUTING"]}, "status"),
        ({"queue": ["\x00"]}, "queue"),
        ({"older_than": -1.0}, "older_than"),
        ({"older_than": float("nan")}, "older_than"),
    ],
)
def test_refuses_a_selection_of_everything_and_odd_ones(chosen, option):
    trigger()
    with pytest.raises(InvalidOption) as refusal:
        purge(**chosen)
    assert refusal.value.option == option
    assert Run.objects.get().status == RunStatus.QUEUED


def test_many_take_few_statements(django_assert_max_num_queries, monkeypatch):
    monkeypatch.setattr(purging, "BATCH", 50)
    task()
    lifecycle.trigger_many([lifecycle.TriggerItem(task_id="send")] * 120, source=Source.SDK)
    with django_assert_max_num_queries(50):
        assert purge(task=["send"]) == 120


def test_hooks_and_keys_are_as_after_any_cancel():
    task(cancel_hooks=True)
    run = trigger(idempotency_key="k")
    purge(task=["send"])
    assert FinalHooks.objects.get().pk == run.pk
    assert Idempotency.objects.get().run_id == run.pk
    assert trigger(idempotency_key="k").pk == run.pk


def test_who_waits_for_them_goes_on():
    task(config='{"overlap": "queue_one"}')
    first = executing_run().run
    held = trigger()
    assert Waiter.objects.filter(run_id=held.pk).exists()
    assert purge(task=["send"]) == 1
    assert not Waiter.objects.exists()
    task("other")
    assert Run.objects.get(pk=first.pk).status == RunStatus.EXECUTING


def test_parents_of_purged_children_go_on(monkeypatch):
    parents = [executing_run() for _ in range(2)]
    children = [trigger("leaf", parent_id=one.run_id, awaited=True) for one in parents]
    for one, child in zip(parents, children, strict=True):
        suspend(one, targets=(child.pk,))
        assert one.run.status == RunStatus.WAITING
    trigger("leaf")
    assert purge(task=["leaf"]) == 3
    assert [one.run.status for one in parents] == [RunStatus.QUEUED] * 2


def test_those_triggered_later_stay():
    trigger()
    Run.objects.update(created_at=timezone.now() + timedelta(minutes=1))
    assert purge(task=["send"]) == 0


@pytest.mark.django_db(transaction=True)
def test_claims_and_a_purge_agree():
    """Each run is either claimed or purged."""
    task()
    lifecycle.trigger_many([lifecycle.TriggerItem(task_id="send")] * 40, source=Source.SDK)
    by = session(slots=20)
    purged, claimed = together([lambda: purge(task=["send"]), lambda: claim(by, 20)])
    assert purged + len(claimed) == Run.objects.exclude(status=RunStatus.QUEUED).count()
    assert Run.objects.filter(status=RunStatus.DEQUEUED).count() == len(claimed)
    left = Run.objects.filter(status=RunStatus.QUEUED).count()
    assert Ready.objects.count() == left


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="writers are serial on SQLite")
def test_a_run_whose_place_somebody_has_locked_is_left_to_them():
    """A claim has its ready row, and not yet the run."""
    trigger()
    with transaction.atomic():
        list(Ready.objects.select_for_update())
        assert together([lambda: purge(task=["send"])]) == [0]
    assert purge(task=["send"]) == 1

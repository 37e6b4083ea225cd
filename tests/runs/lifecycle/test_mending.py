from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import mending, tokens
from runs.models import NEVER, Event, Ready, Run, Waiter, Waitpoint
from runs.states import TokenStatus
from tests.support import factories

pytestmark = pytest.mark.django_db


def waiting_for(*targets, one_suffices=False):
    return factories.waiting_run(targets=targets, one_suffices=one_suffices)


def token():
    return tokens.create()[0]


def end_unnoticed(one):
    """As if the token's end had been restored from a backup without its wake-up."""
    Waitpoint.objects.filter(pk=one.pk).update(
        status=TokenStatus.COMPLETED, completed_at=timezone.now()
    )


def mended(after=""):
    return lifecycle.mend_waiting(after).run_ids


def assert_woken(run, reason):
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.waited_attempt) == ("QUEUED", 1)
    told = Event.objects.get(run_id=run.pk, kind="repaired")
    assert reason in told.reason
    assert factories.history(run.pk)[-2:] == ["repaired", "resumed"]
    assert not Waiter.objects.filter(run_id=run.pk).exists()
    held = factories.claim(factories.session())
    assert [one.run_id for one in held] == [run.pk]
    assert factories.start(held[0]).resumed


def test_those_that_will_be_woken_are_left_alone():
    child = factories.queued_run(delay=3600)
    runs = [
        waiting_for(token().pk),
        waiting_for(child.pk),
        factories.waiting_run(),
        factories.waiting_run(due=timezone.now() + timedelta(seconds=0.2)),
    ]
    before = list(Ready.objects.order_by("pk").values())
    assert mended() == []
    assert list(Ready.objects.order_by("pk").values()) == before
    assert not Event.objects.filter(kind="repaired").exists()
    assert len(runs) == 4


def test_a_token_that_ended_without_waking():
    one = token()
    run = waiting_for(one.pk)
    end_unnoticed(one)
    assert mended() == [run.pk]
    assert_woken(run, "had ended without waking it")


def test_a_child_that_ended_without_waking():
    child = factories.executing_run()
    run = waiting_for(child.run_id)
    Run.objects.filter(pk=child.run_id).update(awaited=False)
    factories.complete(child)
    assert Run.objects.get(pk=run.pk).status == "WAITING"
    assert mended() == [run.pk]
    assert_woken(run, "had ended without waking it")


def test_a_target_that_is_gone():
    one = token()
    run = waiting_for(one.pk)
    Waitpoint.objects.all().delete()
    assert mended() == [run.pk]
    assert_woken(run, "had ended without waking it")


def test_one_of_several_targets_is_not_enough_unless_one_suffices():
    first, second = token(), token()
    every = waiting_for(first.pk, second.pk)
    some = waiting_for(first.pk, second.pk, one_suffices=True)
    end_unnoticed(first)
    assert mended() == [some.pk]
    assert list(Waiter.objects.filter(run_id=every.pk).values_list("target", flat=True)) == [
        second.pk
    ]
    tokens.complete(second.pk, None, by="user:ada")
    assert Run.objects.get(pk=every.pk).status == "QUEUED"


def test_a_run_that_lost_what_it_waits_for(monkeypatch):
    run = waiting_for(token().pk)
    Waiter.objects.filter(run_id=run.pk)._raw_delete("default")
    Run.objects.filter(pk=run.pk, status="QUEUED").update(status="WAITING")  # a trigger woke it
    Ready.objects.filter(pk=run.pk).update(not_before=NEVER)
    Event.objects.filter(kind="resumed").delete()
    Run.objects.filter(pk=run.pk).update(attempt_number=1, waited_attempt=1)
    assert mended() == [run.pk]
    assert_woken(run, "Nothing was left that could wake it")


def test_a_run_that_lost_its_place():
    run = factories.waiting_run()
    Ready.objects.all().delete()
    assert mended() == [run.pk]
    assert_woken(run, "lost its place")


def test_a_time_that_nobody_noticed():
    run = factories.waiting_run()
    past = timezone.now() - mending.GRACE - timedelta(seconds=1)
    Ready.objects.update(not_before=past)
    assert mended() == [run.pk]
    assert_woken(run, "Its time had come")


def test_a_run_that_stays_where_its_queue_is_gone():
    factories.task(queue="mail")
    run = factories.waiting_run(due=timezone.now() + timedelta(days=1))
    Ready.objects.all().delete()
    factories.Queue.objects.all().delete()
    factories.definitions.forget()
    assert mended() == []
    assert Run.objects.get(pk=run.pk).status == "WAITING"


def test_it_looks_at_some_of_them_in_each_turn(monkeypatch):
    monkeypatch.setattr(mending, "BATCH", 2)
    runs = [factories.waiting_run() for _ in range(5)]
    Ready.objects.all().delete()
    found, after, turns = [], "", 0
    while turns == 0 or after:
        part = lifecycle.mend_waiting(after)
        found, after, turns = found + part.run_ids, part.after, turns + 1
    assert (found, turns) == ([run.pk for run in runs], 3)


def test_a_run_that_was_canceled_meanwhile_stays_canceled(monkeypatch):
    run = factories.waiting_run()
    Ready.objects.all().delete()
    seen = mending._suspects([run.pk])
    lifecycle.cancel(run.pk, actor="user:ada")
    assert [mending._mend(run_id) for run_id in seen] == [False]


def test_a_run_that_began_to_wait_between_two_looks_is_left_alone(monkeypatch):
    run = waiting_for(token().pk)
    place = Ready.objects.get()
    Ready.objects.all().delete()
    look = Run.objects.light

    def begin_to_wait():
        Ready.objects.bulk_create([place])
        return look()

    monkeypatch.setattr(Run.objects, "light", begin_to_wait)
    assert not mending._mend(run.pk)
    assert Ready.objects.get().not_before == NEVER
    assert "repaired" not in factories.history(run.pk)

from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption
from runs.lifecycle import TriggerItem, TriggerOptions, keys, requests, store
from runs.models import AuditLog, Idempotency, Run, Source
from runs.states import UNSUCCESSFUL, RunStatus
from tests.support.factories import ended_run, expired_run, session, task, trigger
from tests.support.threads import together

pytestmark = pytest.mark.django_db


def asked(key="k", task_id="send", **options):
    chosen = TriggerOptions(idempotency_key=key, **options)
    return lifecycle.trigger(task_id, "1", chosen, source=Source.SDK)


def test_the_same_key_answers_with_the_first_run():
    first, second = asked(), asked(priority=9.0)
    assert (first.is_cached, second.is_cached) == (False, True)
    assert first.run_id == second.run_id
    assert Run.objects.get().priority == 0.0


def test_a_key_belongs_to_one_task():
    assert len({asked().run_id, asked(task_id="other").run_id, asked(key="other").run_id}) == 3


def test_a_run_shows_its_key():
    run: Any = Run.objects.get(pk=asked(idempotency_scope="run", idempotency_ttl=60.0).run_id)
    assert (run.idempotency_key, run.idempotency_scope) == ("k", "run")
    assert (run.idempotency_expires_at - run.created_at).total_seconds() == 60


def test_a_very_long_key_and_an_empty_one_are_keys():
    for key in ("k" * 9000, ""):
        assert asked(key).run_id == asked(key).run_id
    assert Run.objects.count() == 2


def test_after_its_time_the_key_is_free(time_machine):
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    first = asked(idempotency_ttl=10.0)
    time_machine.move_to("2030-01-01T00:00:09Z", tick=False)
    assert asked().run_id == first.run_id
    time_machine.move_to("2030-01-01T00:00:10Z", tick=False)
    assert asked().run_id != first.run_id
    assert Idempotency.objects.count() == 1


@pytest.mark.parametrize("status", sorted(UNSUCCESSFUL - {RunStatus.EXPIRED}))
def test_a_failure_frees_the_key(status):
    ended = ended_run(status, idempotency_key="k")
    assert asked().run_id != ended.pk


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.CANCELED])
def test_success_and_cancel_keep_the_key(status):
    ended = ended_run(status, idempotency_key="k")
    assert asked().run_id == ended.pk


def test_expiry_frees_the_key_by_sweep_and_by_claim():
    task()
    swept = asked(ttl=0.000001)
    lifecycle.expire_due()
    claimed = asked(ttl=0.000001)
    assert store.current().claim(session().pk, 1) == []
    assert len({swept.run_id, claimed.run_id, asked().run_id}) == 3


def test_a_key_that_was_reset_is_free():
    first = asked()
    asked(task_id="other")
    hash_of_it = keys.hashed("k")
    assert keys.reset("send", "k", actor="user:ada")
    assert not keys.reset("send", "k", actor="user:ada")
    second = asked()
    assert second.run_id != first.run_id
    assert keys.reset("send", hash_of_it, actor="user:ada")
    assert asked(task_id="other").is_cached
    assert Run.objects.get(pk=first.run_id).idempotency_expires_at <= timezone.now()
    assert list(AuditLog.objects.values_list("action", "target")) == [
        ("key.reset", second.run_id),
        ("key.reset", first.run_id),
    ]
    with pytest.raises(InvalidOption):
        keys.reset("send", "\x00", actor="user:ada")


def test_an_old_run_s_failure_does_not_free_its_successor_s_key():
    run = trigger(idempotency_key="k", idempotency_ttl=0.0)
    successor = asked()
    assert successor.run_id != run.pk
    keys.free(run.pk)
    assert asked().run_id == successor.run_id


def test_a_failure_does_not_forget_the_request():
    first = requests.once("send", "r1", lambda: asked())
    assert first.is_cached is False
    run = expired_run()
    Idempotency.objects.filter(task_id="").update(run_id=run.pk)
    keys.free(run.pk)
    assert requests.once("send", "r1", lambda: asked()).run_id == run.pk


def test_a_batch_may_repeat_a_key():
    items = [
        TriggerItem(
            task_id="send", payload=str(number), options=TriggerOptions(idempotency_key=key)
        )
        for number, key in enumerate(["b", "a", "b", None, "a"])
    ]
    made = lifecycle.trigger_many(items, source=Source.SDK)
    assert [one.is_cached for one in made] == [False, False, True, False, True]
    assert (made[0].run_id, made[1].run_id) == (made[2].run_id, made[4].run_id)
    assert list(Run.objects.order_by("id").values_list("payload", flat=True)) == ["0", "1", "3"]


def test_a_key_that_is_a_hash_already_is_the_key_it_was_made_of():
    assert asked(keys.hashed("order-1")).run_id == asked("order-1").run_id
    assert asked(keys.hashed("order-1").upper()).run_id != asked("order-1").run_id


def test_a_large_batch_takes_its_keys_together(django_assert_max_num_queries):
    task()
    items = [
        TriggerItem(task_id="send", options=TriggerOptions(idempotency_key=str(number)))
        for number in range(2000)
    ]
    with django_assert_max_num_queries(20):
        first = lifecycle.trigger_many(items, source=Source.SDK)
    again = lifecycle.trigger_many(items, source=Source.SDK)
    assert [one.run_id for one in again] == [one.run_id for one in first]
    assert all(one.is_cached for one in again)


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_callers_one_makes_the_run():
    task()
    answers = [answer for few in range(5) for answer in together([asked] * 20)]
    assert len({answer.run_id for answer in answers}) == 1
    assert sum(not answer.is_cached for answer in answers) == 1
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_twin_that_rolls_back_leaves_the_key():
    task()

    def rolled_back():
        with transaction.atomic():
            answer = asked()
            transaction.set_rollback(True)
        return answer

    answers = together([rolled_back, asked, rolled_back, asked])
    run = Run.objects.get()
    assert run.pk in {answers[1].run_id, answers[3].run_id}
    assert asked().run_id == run.pk


@pytest.mark.django_db(transaction=True)
def test_batches_with_keys_in_opposite_order_do_not_deadlock():
    task()
    names = [f"k{number}" for number in range(60)]

    def batch(names):
        items = [
            TriggerItem(task_id="send", options=TriggerOptions(idempotency_key=key))
            for key in names
        ]
        return lambda: lifecycle.trigger_many(items, source=Source.SDK)

    together([batch(names), batch(names[::-1])] * 3)
    assert Run.objects.count() == 60
    assert connection.is_usable()

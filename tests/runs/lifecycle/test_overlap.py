"""What a trigger does while a run of its task and key is open."""

import json
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs import lifecycle
from runs.debounce import Debounce
from runs.errors import InvalidOption
from runs.lifecycle import TriggerItem, TriggerOptions, definitions, overlapping, waiting
from runs.models import NEVER, Event, Ready, Run, Source, Task, Waiter
from runs.reads.gates import gates
from runs.states import RunStatus
from tests.support.factories import (
    claim,
    complete,
    ended_run,
    history,
    session,
    start,
    suspend,
    task,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db
S = RunStatus


def governed(policy, task_id="sync", **facts):
    return task(task_id, config=json.dumps({"overlap": policy}), **facts)


def fire(task_id="sync", **options):
    return lifecycle.trigger(task_id, None, TriggerOptions(**options), source=Source.SDK)


def fire_many(count, **options):
    items = [TriggerItem(task_id="sync", options=TriggerOptions(**options))] * count
    return lifecycle.trigger_many(items, source=Source.SDK)


@transaction.atomic
def fire_and_fail():
    fire()
    raise ZeroDivisionError


def run_of(made):
    return Run.objects.get(pk=made.run_id)


def executing(by=None):
    """The only claimable run, in its body."""
    (one,) = claim(by or session(), 5)
    assert start(one)
    return one


def claimable():
    return [one.run_id for one in claim(session(), 9)]


class TestSkip:
    @pytest.fixture(autouse=True)
    def _policy(self):
        governed("skip")

    @pytest.mark.parametrize("climb", [lambda: None, executing, lambda: suspend(executing())])
    def test_the_open_run_answers(self, climb):
        first = fire()
        climb()
        second = fire()
        assert (second.run_id, second.is_cached, second.is_skipped) == (first.run_id, True, True)
        assert (Run.objects.count(), history(first.run_id)[-1]) == (1, "skipped")

    def test_after_its_end_there_is_another(self):
        first = fire()
        complete(executing())
        second = fire()
        assert not second.is_skipped
        assert second.run_id != first.run_id

    def test_another_key_is_another_lane(self):
        made = [fire(concurrency_key=key) for key in (None, "", "a", "b", "a")]
        assert [one.is_skipped for one in made] == [False, False, False, False, True]
        assert made[4].run_id == made[2].run_id

    def test_of_a_batch_the_first_is_made(self):
        task("other")
        items = [TriggerItem(task_id=name) for name in ("sync", "other", "sync", "other")]
        made = lifecycle.trigger_many(items, source=Source.SDK)
        assert [one.is_skipped for one in made] == [False, False, True, False]
        assert made[2].run_id == made[0].run_id
        assert [run_of(one).task_id for one in made] == ["sync", "other", "sync", "other"]

    def test_a_key_that_was_skipped_leads_to_the_open_run(self):
        first = fire()
        assert fire(idempotency_key="k").is_skipped
        complete(executing())
        again = fire(idempotency_key="k")
        assert (again.run_id, again.is_skipped) == (first.run_id, False)

    def test_a_debounced_run_is_open(self):
        first = fire(debounce=Debounce("k", 10.0))
        assert fire(debounce=Debounce("k", 10.0)).run_id == first.run_id
        assert fire().is_skipped

    def test_a_rolled_back_trigger_is_in_nobodys_way(self):
        with pytest.raises(ZeroDivisionError):
            fire_and_fail()
        assert not fire().is_skipped

    def test_its_own_run_is_in_the_way_too(self):
        first = fire()
        assert fire(parent_id=first.run_id).is_skipped


class TestQueueOne:
    @pytest.fixture(autouse=True)
    def _policy(self):
        governed("queue_one")

    def test_one_waits_and_the_rest_are_skipped(self):
        first, second, third = fire_many(3)
        assert (first.is_held, second.is_held, third.is_skipped) == (False, True, True)
        assert third.run_id == second.run_id
        assert run_of(second).reason == f"Waits until run {first.run_id} ends."
        assert claimable() == [first.run_id]

    def test_the_end_lets_it_go(self):
        _, second = fire_many(2)
        one = executing()
        assert (claimable(), lifecycle.next_due()) == ([], None)
        complete(one)
        assert Ready.objects.get().not_before is None
        assert claimable() == [second.run_id]
        assert not Waiter.objects.exists()
        assert run_of(second).reason == ""

    def test_whoever_ends_the_first_may_take_the_second(self):
        _, second = fire_many(2)
        assert complete(executing(), take=1).next.run_id == second.run_id

    def test_a_wait_of_the_first_lets_nothing_go(self):
        fire_many(2)
        suspend(executing())
        assert claimable() == []

    def test_a_cancel_of_the_first_lets_it_go(self):
        first, second = fire_many(2)
        lifecycle.cancel(first.run_id, actor="user:ada")
        assert claimable() == [second.run_id]

    def test_a_canceled_one_makes_room(self):
        first, second = fire_many(2)
        lifecycle.cancel(second.run_id, actor="user:ada")
        third = fire()
        assert (third.is_held, Waiter.objects.get().target) == (True, first.run_id)

    def test_its_delay_is_kept(self):
        first = fire()
        second = fire(delay=3600.0)
        assert run_of(second).status == S.DELAYED
        assert Ready.objects.get(pk=second.run_id).not_before == NEVER
        complete(executing())
        assert Ready.objects.get().not_before == run_of(second).delay_until
        assert (claimable(), first.is_held) == ([], False)

    def test_a_debounce_puts_it_off_but_not_into_the_queue(self):
        fire()
        second = fire(debounce=Debounce("k", 10.0))
        third = fire(debounce=Debounce("k", 500.0))
        assert third.run_id == second.run_id
        ready = Ready.objects.get(pk=second.run_id)
        assert (ready.not_before, run_of(second).status) == (NEVER, S.DELAYED)
        complete(executing())
        assert Ready.objects.get().not_before == run_of(second).delay_until

    def test_a_parked_one_is_held_when_its_version_comes(self):
        first = fire()
        Task.objects.update(broken=True)
        definitions.forget()
        second = fire()
        assert run_of(second).status == S.PENDING_VERSION
        Task.objects.update(broken=False)
        lifecycle.unpark(["sync"])
        assert Ready.objects.get(pk=second.run_id).not_before == NEVER
        complete(executing())
        assert claimable() == [second.run_id]
        assert first.run_id

    def test_it_expires_like_any_other(self):
        _, second = fire_many(2, ttl=3600.0)
        Run.objects.filter(pk=second.run_id).update(expires_at=timezone.now())
        assert lifecycle.expire_due() == 1
        complete(executing())
        assert claimable() == []

    def test_its_page_says_for_whom_it_waits(self):
        first, second = fire_many(2)
        gate = next(one for one in gates(run_of(second), timezone.now()) if one.name == "overlap")
        assert (gate.open, first.run_id in gate.sentence) == (False, True)

    def test_a_run_does_not_wait_for_one_that_waits_for_it(self):
        first = fire()
        task("between")
        child = fire("between", parent_id=first.run_id, awaited=True)
        held = fire(parent_id=child.run_id, awaited=True)
        assert held.is_held
        with pytest.raises(InvalidOption, match="wait for ever"):
            waiting.refuse_circles(child.run_id, [held.run_id])


class TestCancelPrevious:
    @pytest.fixture(autouse=True)
    def _policy(self):
        governed("cancel_previous")

    def test_what_has_not_started_is_canceled_at_once(self, django_capture_on_commit_callbacks):
        first = fire()
        with django_capture_on_commit_callbacks(execute=True):
            second = fire()
        assert run_of(first).status == S.CANCELED
        assert run_of(first).reason == "A later trigger of its task took its place."
        assert claimable() == [second.run_id]

    def test_what_executes_is_waited_for(self, django_capture_on_commit_callbacks):
        fire()
        one = executing()
        with django_capture_on_commit_callbacks(execute=True):
            second = fire()
            third = fire()
        assert (one.run.is_canceling, run_of(second).status) == (True, S.CANCELED)
        assert claimable() == []
        complete(one)
        assert one.run.status == S.CANCELED
        assert claimable() == [third.run_id]

    def test_nothing_is_stopped_by_what_is_rolled_back(self, django_capture_on_commit_callbacks):
        first = fire()
        with (
            django_capture_on_commit_callbacks(execute=True),
            pytest.raises(ZeroDivisionError),
        ):
            fire_and_fail()
        assert claimable() == [first.run_id]

    def test_a_run_does_not_stop_where_it_comes_from(self, django_capture_on_commit_callbacks):
        first = fire()
        task("between")
        child = fire("between", parent_id=first.run_id)
        with django_capture_on_commit_callbacks(execute=True):
            second = fire(parent_id=child.run_id)
        assert (second.is_held, run_of(first).status) == (False, S.QUEUED)

    def test_housekeeping_does_what_a_lost_process_left(self):
        """The callbacks of these triggers are never called."""
        first = fire()
        second = fire()
        assert lifecycle.settle_held() == 1
        assert run_of(first).status == S.CANCELED
        assert claimable() == [second.run_id]
        assert lifecycle.settle_held() == 0


def test_housekeeping_lets_go_who_waits_for_the_ended():
    governed("queue_one")
    gone = ended_run()
    first, second = fire_many(2)
    Waiter.objects.update(target=gone.pk)
    assert lifecycle.settle_held() == 1
    assert set(claimable()) == {first.run_id, second.run_id}


def test_runs_of_free_tasks_stand_in_no_lane():
    task("free")
    assert [fire("free").is_skipped for _ in range(2)] == [False, False]
    assert set(Run.objects.values_list("overlap_lane", "awaited")) == {(None, False)}


def test_a_batch_of_free_tasks_asks_nothing_more():
    task("free")
    with CaptureQueriesContext(connection) as asked:
        lifecycle.trigger_many([TriggerItem(task_id="free")] * 50, source=Source.SDK)
    statements = " ".join(query["sql"] for query in asked.captured_queries)
    assert "advisory" not in statements
    assert "runs_waiter" not in statements


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    """Many callers, each in a transaction of its own."""

    def test_of_skips_one_makes_a_run(self):
        governed("skip")
        made = together([partial(rush, 3)] * 5)
        assert len({one.run_id for some in made for one in some}) == 1
        assert Run.objects.count() == 1
        assert Event.objects.filter(kind="skipped").count() == 14

    def test_of_queued_ones_one_waits(self):
        governed("queue_one")
        together([partial(rush, 2)] * 5)
        assert Run.objects.count() == 2
        (held,) = Waiter.objects.all()
        assert claimable() == [held.target]

    def test_of_replacements_the_last_is_left(self):
        governed("cancel_previous")
        together([partial(rush, 2)] * 5)
        assert Run.objects.count() == 10
        last = Run.objects.exclude(status=S.CANCELED).get()
        assert claimable() == [last.pk]

    def test_batches_over_the_same_keys_do_not_block_each_other(self):
        governed("skip")
        keys = [str(number) for number in range(20)]
        together([partial(batch, keys), partial(batch, keys[::-1])] * 3)
        assert Run.objects.count() == 20

    def test_so_many_keys_take_one_lock(self, monkeypatch):
        monkeypatch.setattr(overlapping, "MANY", 5)
        governed("skip")
        keys = [str(number) for number in range(12)]
        together([partial(batch, keys), partial(batch, keys[:3]), partial(batch, keys[::-1])])
        assert Run.objects.count() == 12

    def test_an_end_and_a_trigger_miss_each_other_never(self):
        governed("queue_one")
        by = session()
        for _ in range(8):
            fire()
            one = executing(by)
            together([partial(complete, one), fire])
            left = claim(by, 5)
            assert len(left) == 1
            assert start(left[0])
            complete(left[0])
        assert not Waiter.objects.exists()


def rush(count):
    return [fire() for _ in range(count)]


def batch(keys):
    options = [TriggerOptions(concurrency_key=key) for key in keys]
    items = [TriggerItem(task_id="sync", options=one) for one in options]
    return lifecycle.trigger_many(items, source=Source.SDK)

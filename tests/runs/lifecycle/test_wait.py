"""Suspending and waking: who waits is never forgotten, whatever comes first."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.journal import Entry
from runs.lifecycle import TriggerOptions, attempts, store, tokens, trigger, waiting
from runs.lifecycle.store import Next
from runs.models import NEVER, Event, Journal, Lease, Ready, Run, Source, Waiter
from runs.states import FINAL, EntryKind, EntryStatus
from tests.support import factories
from tests.support.factories import (
    claim,
    complete,
    executing_run,
    finish,
    history,
    session,
    start,
    suspend,
    waiting_run,
)
from tests.support.threads import together
from tests.support.waiting import eventually

pytestmark = pytest.mark.django_db
racing = pytest.mark.django_db(transaction=True)


def child_of(one, **options):
    made = trigger(
        "send",
        None,
        TriggerOptions(parent_id=one.run_id, awaited=True, **options),
        source=Source.SDK,
    )
    return made.run_id


def entry(name="load", **facts) -> Entry:
    facts = {"status": EntryStatus.DONE, "result": "1", "attempt": 1, "ordinal": 1} | facts
    return Entry(kind=EntryKind.STEP, name=name, position=1, started_at=timezone.now(), **facts)


def take(by):
    """The next claimable run, started."""
    one = claim(by)[0]
    assert start(one)
    return one


def test_a_waiting_run_holds_no_slot_and_keeps_its_place():
    by = session()
    one = executing_run(by)
    before = one.run
    assert suspend(one).outcome == "waiting"
    assert not Lease.objects.exists()
    ready = Ready.objects.get()
    assert (ready.sort_key, ready.run_id) == (before.sort_key, before.pk)
    assert one.run.usage_ms == one.run.attempt_ms
    assert one.run.waited_attempt == 1


def test_a_lost_lease_suspends_nothing():
    one = executing_run()
    Lease.objects.update(token="another")
    assert suspend(one, entries=(entry(),)).outcome == "lost"
    assert one.run.status == "EXECUTING"
    assert not Journal.objects.exists()


def test_asked_again_after_a_lost_answer_it_says_the_same():
    one = executing_run()
    assert [suspend(one).outcome for _ in range(2)] == ["waiting", "waiting"]
    assert history(one.run_id).count("waiting") == 1


def test_a_run_asked_to_cancel_is_canceled_at_its_wait():
    one = executing_run()
    lifecycle.cancel(one.run_id, actor="user:ada")
    assert suspend(one).outcome == "canceled"
    assert one.run.status == "CANCELED"
    assert not Ready.objects.exists()


def test_what_is_due_already_is_not_waited_for():
    one = executing_run()
    assert suspend(one, due=timezone.now() - timedelta(seconds=1)).outcome == "ready"
    assert Lease.objects.exists()


def test_a_child_that_ended_first_is_not_waited_for():
    by = session()
    one = executing_run(by)
    child = child_of(one)
    complete(take(by))
    assert suspend(one, targets=(child,)).outcome == "ready"
    assert one.run.status == "EXECUTING"


def test_the_slot_goes_to_the_next_run():
    by = session()
    one = executing_run(by)
    child = child_of(one)
    done = suspend(one, take=Next.SAME, targets=(child,))
    assert (done.outcome, done.next.run_id) == ("waiting", child)


def test_the_last_child_resumes_its_parent_once():
    by = session()
    one = executing_run(by)
    children = tuple(child_of(one) for _ in range(3))
    suspend(one, targets=children)
    assert Ready.objects.get(pk=one.run_id).not_before == NEVER
    for left in (2, 1, 0):
        assert one.run.status == "WAITING"
        complete(take(by))
        assert Waiter.objects.count() == left
    assert one.run.status == "QUEUED"
    assert history(one.run_id).count("resumed") == 1
    assert Ready.objects.get(pk=one.run_id).not_before is None


def test_the_first_of_several_resumes_where_one_suffices():
    by = session()
    one = executing_run(by)
    children = tuple(child_of(one) for _ in range(2))
    suspend(one, targets=children, one_suffices=True)
    complete(take(by))
    assert one.run.status == "QUEUED"
    assert not Waiter.objects.exists()
    lifecycle.cancel(children[1], actor="user:ada")
    assert history(one.run_id).count("resumed") == 1


@pytest.mark.parametrize("status", sorted(FINAL - {"EXPIRED"}))
def test_every_end_of_a_child_resumes_its_parent(status):
    by = session()
    one = executing_run(by)
    child = child_of(one)
    suspend(one, targets=(child,))
    taken = take(by)
    if status == "COMPLETED":
        complete(taken)
    elif status == "CANCELED":
        lifecycle.cancel(child, actor="user:ada")
        finish(attempts.acknowledge_cancel(*taken.lease))
    else:
        finish(attempts.fail(*taken.lease, factories.ERROR, status))
    assert one.run.status == "QUEUED"


def test_ends_recorded_together_resume_their_parents():
    """Short runs are recorded in one statement; each end in it wakes."""
    by = session(8)
    one = executing_run(by)
    children = tuple(child_of(one) for _ in range(3))
    held = [take(by) for _ in children]
    suspend(one, targets=children)
    done = [store.Done(*lease.lease, '"x"', 0, 1) for lease in held]
    store.current().turn(done, Next.NONE, 1, 1)
    assert one.run.status == "QUEUED"
    assert history(one.run_id).count("resumed") == 1


def test_a_retry_of_a_child_is_no_end():
    by = session()
    one = executing_run(by)
    suspend(one, targets=(child_of(one, max_attempts=2),))
    taken = take(by)
    finish(attempts.retry(*taken.lease, factories.ERROR, 0))
    assert one.run.status == "WAITING"


def test_a_resume_counts_to_the_same_attempt():
    by = session()
    one = executing_run(by)
    suspend(one, targets=(child_of(one),))
    complete(take(by))
    again = claim(by)[0]
    work = start(again)
    assert (again.run_id, again.attempt, work.attempt, work.resumed) == (one.run_id, 1, 1, True)
    complete(again)
    assert factories.tries(one.run_id) == [(1, "COMPLETED")]


def test_after_a_crash_of_a_resumed_attempt_the_next_one_follows():
    by = session()
    one = executing_run(by)
    suspend(one, targets=(child_of(one),))
    complete(take(by))
    again = take(by)
    finish(attempts.retry(*again.lease, factories.ERROR, 0, crashed=True))
    assert not one.run.is_resuming
    assert one.run.is_retrying
    third = claim(by)[0]
    work = start(third)
    assert (work.attempt, work.resumed) == (2, False)


def test_the_first_write_of_an_entry_stays():
    one = executing_run()
    opened = lifecycle.store.current()
    for result in ("1", "2"):
        assert opened.record(*one.lease, [entry(result=result)])
    assert Journal.objects.get().result == "1"


def test_nothing_is_recorded_without_the_lease():
    one = executing_run()
    assert not lifecycle.store.current().record(one.run_id, "another", [entry()])
    assert not Journal.objects.exists()


def test_a_due_wait_resumes_even_though_its_target_is_open():
    by = session()
    one = executing_run(by)
    child = child_of(one)
    suspend(one, targets=(child,), one_suffices=True, due=timezone.now() + timedelta(seconds=0.05))
    eventually(lambda: lifecycle.promote_due() or one.run.status == "QUEUED")
    assert one.run.status == "QUEUED"
    assert not Waiter.objects.exists()
    assert history(one.run_id).count("resumed") == 1


def test_nobody_waits_never_is_the_next_thing_due():
    by = session()
    one = executing_run(by)
    suspend(one, targets=(child_of(one),))
    assert lifecycle.next_due() is None


def test_waiting_runs_cost_a_claim_nothing():
    """A claim looks at what is claimable now; what waits is not in that index."""
    waiting_run()
    if connection.vendor != "postgresql":
        pytest.skip("reads PostgreSQL's plan")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT run_id FROM runs_ready WHERE bucket_id = 1 AND lane = 0 "
            "AND not_before IS NULL ORDER BY sort_key, run_id LIMIT 1"
        )
        plan = str(cursor.fetchall())
    assert "ready_head" in plan


@racing
@pytest.mark.parametrize("round_", range(5))
def test_suspend_against_the_end_of_the_child(round_):
    """Whichever is first: the parent waits and is woken, or it does not wait at all."""
    by = session()
    one = executing_run(by)
    child = child_of(one)
    taken = take(by)
    outcome, _ = together([lambda: suspend(one, targets=(child,)).outcome, lambda: complete(taken)])
    assert (outcome, one.run.status) in {("waiting", "QUEUED"), ("ready", "EXECUTING")}
    assert not Waiter.objects.exists()


@racing
@pytest.mark.parametrize("round_", range(5))
def test_suspend_against_the_completion_of_the_token(round_):
    one = executing_run()
    token = tokens.create()[0].pk
    outcome, _ = together(
        [
            lambda: suspend(one, targets=(token,)).outcome,
            lambda: tokens.complete(token, "1", by="url"),
        ]
    )
    assert (outcome, one.run.status) in {("waiting", "QUEUED"), ("ready", "EXECUTING")}
    assert not Waiter.objects.exists()


@racing
@pytest.mark.parametrize("round_", range(4))
def test_children_that_end_at_the_same_moment_resume_once(round_):
    by = session(8)
    one = executing_run(by)
    children = tuple(child_of(one) for _ in range(4))
    held = [take(by) for _ in children]
    suspend(one, targets=children)
    together([lambda lease=lease: complete(lease) for lease in held])
    assert one.run.status == "QUEUED"
    assert history(one.run_id).count("resumed") == 1
    assert not Waiter.objects.exists()


@racing
@pytest.mark.parametrize("round_", range(4))
def test_cancel_against_the_end_of_the_child(round_):
    by = session()
    one = executing_run(by)
    child = child_of(one)
    taken = take(by)
    suspend(one, targets=(child,))
    together(
        [
            lambda: lifecycle.cancel(one.run_id, actor="user:ada", keep_children=True),
            lambda: complete(taken),
        ]
    )
    assert one.run.status == "CANCELED"
    assert not Waiter.objects.exists()
    assert not Ready.objects.exists()
    assert factories.tries(one.run_id) == [(1, "CANCELED")]


@racing
@pytest.mark.parametrize("round_", range(4))
def test_the_time_out_against_the_completion(round_):
    one = executing_run()
    token = tokens.create(timeout=0.001)[0].pk
    suspend(one, targets=(token,))
    together([lambda: tokens.complete(token, "1", by="url"), lifecycle.time_out_due])
    assert one.run.status == "QUEUED"
    assert Event.objects.filter(run_id=one.run_id, kind="resumed").count() == 1
    assert Run.objects.count() == 1


class TestRecall:
    """A worker that knows a run's journal asks only for what may have changed."""

    def test_whoever_left_last_learns_how_the_targets_stand(self):
        by = session()
        one = executing_run(by)
        child = child_of(one)
        suspend(one, targets=(child,))
        complete(take(by))
        found = store.current().recall(one.run_id, one.token, [child])
        assert found is not None
        assert found[child].status == "COMPLETED"
        assert store.current().recall(one.run_id, one.token, []) == {}

    def test_a_run_that_was_elsewhere_meanwhile_is_read_again(self):
        by = session()
        one, later = executing_run(by), timezone.now() + timedelta(hours=1)
        wait = entry(status=EntryStatus.PENDING)._replace(kind=EntryKind.WAIT, due_at=later)
        suspend(one, due=later, entries=(wait,))
        waiting.skip(one.run_id, actor="user:ada")
        assert store.current().recall(one.run_id, one.token, []) is None
        again = take(by)
        suspend(again, due=later)
        assert store.current().recall(one.run_id, one.token, []) is None
        assert store.current().recall(one.run_id, again.token, []) == {}


class TestChildren:
    def of(self, one):
        return [
            run_id for run_id, _ in store.current().children(one.run_id, one.attempt, one.token)
        ]

    def trigger(self, one, **options):
        return factories.trigger(parent_id=one.run_id, parent_token=one.token, **options).pk

    def test_those_of_an_execution_that_left_no_attempt_are_nobodys(self):
        """Its cluster was lost before the start was recorded; the body that follows triggers its own."""
        by = session()
        lost = factories.dequeued_run(by)
        self.trigger(lost, delay=60.0)
        finish(attempts.release(*lost.lease, "lost", started=False))
        one = take(by)
        self.trigger(lost, delay=60.0)
        assert (one.run_id, one.attempt) == (lost.run_id, lost.attempt)
        own = [self.trigger(one, delay=60.0) for _ in range(2)]
        assert self.of(one) == own

    def test_those_of_an_attempt_that_ended_are_nobodys(self):
        by = session()
        first = executing_run(by)
        own = self.trigger(first, delay=60.0)
        suspend(first)
        store.current().resume([first.run_id])
        again = take(by)
        assert self.of(again) == [own]
        finish(attempts.retry(*again.lease, factories.ERROR, 0))
        one = take(by)
        assert (one.run_id, one.attempt, self.of(one)) == (first.run_id, 2, [])

    def test_they_come_in_the_order_of_the_segments_whatever_their_clocks_say(self):
        by = session()
        first = executing_run(by)
        early = self.trigger(first, delay=60.0)
        suspend(first)
        store.current().resume([first.run_id])
        second = take(by)
        with time_machine.travel(timezone.now() - timedelta(hours=1), tick=True):
            late = self.trigger(second, delay=7200.0)
        assert late < early
        assert self.of(second) == [early, late]
        suspend(second)
        store.current().resume([first.run_id])
        assert self.of(take(by)) == [early, late]

    def test_what_nobody_needs_to_find_again_is_left_out(self):
        one = executing_run()
        factories.trigger(parent_id=one.run_id)
        assert self.of(one) == []

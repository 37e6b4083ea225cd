"""A child that is made with the wait for it, and a slot that passes to it and back."""

import time

import pytest
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.debounce import Debounce
from runs.journal import Entry, Pause
from runs.lifecycle import TriggerItem, TriggerOptions, attempts, store, triggering
from runs.lifecycle.store import Done, Next
from runs.models import Attempt, Bucket, Journal, Lease, Queue, Ready, Run, RunTag, Source, Waiter
from runs.states import EntryKind, EntryStatus
from tests.support.factories import (
    claim,
    dequeued_run,
    executing_run,
    finish,
    history,
    queue,
    queued_run,
    session,
    task,
)

pytestmark = pytest.mark.django_db


def prepared(one, *items, **options):
    options = {"parent_id": one.run_id, "awaited": True} | options
    item = TriggerItem(task_id="send", options=TriggerOptions(**options))
    return triggering.prepare(items or [item], source=Source.SDK)


def entry(target):
    return Entry(
        kind=EntryKind.CHILD,
        name="send",
        ordinal=1,
        attempt=1,
        position=1,
        status=EntryStatus.PENDING,
        started_at=timezone.now(),
        target=target,
    )


def left(one, unborn, *, take=Next.NONE, began=None, **facts):
    """`one` leaves its worker and waits for what is made with that."""
    entries = tuple(map(entry, unborn.ids[:1]))
    pause = Pause(reason="", targets=tuple(unborn.ids), entries=entries, unborn=unborn, **facts)
    return store.current().suspend(*one.lease, pause, take, 1, began)


def bucket_of(run):
    return Ready.objects.get(pk=run.pk).bucket_id


def flushes():
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone() == ("on",)


def turn(work, take=Next.HEIR):
    now = time.monotonic_ns()
    done = Done(work.run_id, work.token, None, now - 2_000_000, now - 1_000_000)
    return store.current().turn([done], take, 16, 1)


def test_a_child_is_made_with_the_wait_for_it():
    one = executing_run()
    unborn = prepared(one, tags=("blue",))
    assert not Run.objects.filter(parent_id=one.run_id).exists()
    assert left(one, unborn).outcome == "waiting"
    child = Run.objects.get(parent_id=one.run_id)
    assert (child.pk, child.status, child.awaited) == (unborn.ids[0], "QUEUED", True)
    assert history(child.pk) == ["triggered"]
    assert RunTag.objects.get().run_id == child.pk
    assert (Journal.objects.get().target, Waiter.objects.get().target) == (child.pk, child.pk)
    assert one.run.status == "WAITING"


def test_many_children_are_made_with_the_wait_for_them():
    one = executing_run()
    options = TriggerOptions(parent_id=one.run_id, awaited=True)
    unborn = prepared(one, *[TriggerItem(task_id="send", options=options)] * 3)
    assert left(one, unborn).outcome == "waiting"
    assert Waiter.objects.filter(run_id=one.run_id).count() == 3
    assert Ready.objects.filter(not_before=None).count() == 3


def test_a_run_that_is_to_stop_makes_no_child():
    one = executing_run()
    unborn = prepared(one)
    lifecycle.cancel(one.run_id, actor="user:ada")
    assert left(one, unborn).outcome == "canceled"
    assert Run.objects.count() == 1
    assert not Journal.objects.exists()


def test_a_lost_lease_makes_no_child():
    one = executing_run()
    unborn = prepared(one)
    Lease.objects.update(token="another")
    assert left(one, unborn).outcome == "lost"
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    "options", [{"idempotency_key": "once"}, {"debounce": Debounce(key="quiet", delay=1.0)}]
)
def test_what_may_find_another_run_is_not_prepared(options):
    assert prepared(executing_run(), **options) is None


def test_a_run_that_is_to_stop_prepares_none():
    one = executing_run()
    lifecycle.cancel(one.run_id, actor="user:ada")
    assert prepared(one) is None


def test_a_start_is_recorded_with_the_wait():
    one = dequeued_run()
    began = time.monotonic_ns() - 5_000_000
    assert left(one, prepared(one), began=began).outcome == "waiting"
    assert history(one.run_id)[-2:] == ["started", "waiting"]
    assert one.run.usage_ms >= 5


def test_a_start_is_recorded_with_the_first_step():
    one = dequeued_run()
    began = time.monotonic_ns()
    for _ in range(2):
        assert store.current().record(*one.lease, [entry(None)], 1, began)
    assert one.run.status == "EXECUTING"
    assert history(one.run_id).count("started") == 1
    assert Journal.objects.count() == 1


@pytest.mark.skipif(
    connection.vendor == "sqlite",
    reason="its start is recorded first there, as of one that was lost",
)
def test_a_run_that_comes_back_is_not_taken_for_a_lost_one():
    by = session()
    one, other, third = executing_run(by), executing_run(by), executing_run(by)
    left(one, prepared(one))
    finish(attempts.complete(*claim(by)[0].lease, None))
    (work,) = turn(other).works
    assert (work.run_id, work.begun, work.resumed) == (one.run_id, False, True)
    assert not work.retaken
    finish(attempts.release(work.run_id, work.token, "back", started=False))
    (again,) = turn(third).works
    assert (again.run_id, again.retaken) == (one.run_id, True)


def test_a_parent_that_is_canceled_meanwhile_does_not_come_back():
    one = executing_run()
    work = left(one, prepared(one), take=Next.SAME).next
    lifecycle.cancel(one.run_id, actor="user:ada")
    assert not turn(work).works
    assert one.run.status == "CANCELED"


def test_a_paused_queue_goes_on_with_neither():
    one = executing_run()
    work = left(one, prepared(one), take=Next.SAME).next
    Queue.objects.update(paused=True)
    assert not turn(work).works
    assert one.run.status == "QUEUED"


class TestOnPostgres:
    @pytest.fixture(autouse=True)
    def _postgres(self, db):
        if connection.vendor == "sqlite":
            pytest.skip("writers take turns on SQLite anyway")

    def test_the_slot_passes_to_the_child_and_back(self):
        one = executing_run()
        unborn = prepared(one)
        work = left(one, unborn, take=Next.SAME).next
        assert (work.run_id, work.begun, work.attempt) == (unborn.ids[0], True, 1)
        assert history(work.run_id) == ["triggered", "started"]
        assert Ready.objects.get().run_id == one.run_id
        (again,) = turn(work).works
        assert (again.run_id, again.begun, again.resumed) == (one.run_id, True, True)
        assert history(one.run_id)[-3:] == ["waiting", "resumed", "started"]
        assert (one.run.status, one.run.attempt_number) == ("EXECUTING", 1)
        assert not Waiter.objects.exists()
        assert not Ready.objects.exists()
        assert Lease.objects.get().run_id == one.run_id
        assert Attempt.objects.get().run_id == work.run_id

    def test_a_lost_answer_is_given_again(self):
        one = executing_run()
        work = left(one, prepared(one), take=Next.SAME).next
        assert turn(work).works == turn(work).works != []

    def test_whoever_comes_first_goes_first(self):
        by = session()
        one = executing_run(by)
        first = queued_run(priority=60)
        work = left(one, prepared(one), take=Next.SAME).next
        assert work.run_id == first.pk

    def test_nor_does_the_parent_pass_by(self):
        one = executing_run()
        work = left(one, prepared(one), take=Next.SAME).next
        first = queued_run(priority=60)
        assert [other.run_id for other in turn(work).works] == [first.pk, one.run_id]

    def test_a_queue_with_a_limit_counts(self):
        one = executing_run()
        Queue.objects.update(concurrency_limit=1)
        unborn = prepared(one)
        work = left(one, unborn, take=Next.SAME).next
        assert history(work.run_id) == ["triggered", "started"]
        assert [again.run_id for again in turn(work).works] == [one.run_id]
        assert Lease.objects.count() == 1

    @pytest.mark.parametrize(
        "counting",
        [
            {"total_limit": 5},
            {"override_total": 5},
            {"override_limit": 5},
            {"rate_interval": 1, "rate_burst": 5},
        ],
    )
    def test_where_something_is_counted_the_queue_stays_between(self, counting):
        one = executing_run()
        unborn = prepared(one)
        Queue.objects.update(**counting)
        left(one, unborn, take=Next.SAME)
        assert history(unborn.ids[0])[:1] == ["triggered"]
        assert Run.objects.get(pk=unborn.ids[0]).started_at >= one.run.updated_at

    def test_a_slot_passes_between_queues(self):
        queue("mail", limit=1)
        task("parent", queue="mail")
        one = executing_run(task_id="parent")
        Queue.objects.filter(name="mail").update(concurrency_limit=1)
        waiting = queued_run(task_id="parent")
        queued_run(priority=-60)  # of the child's queue, whose bucket is there with that
        work = left(one, prepared(one), take=Next.SAME).next
        assert Run.objects.get(pk=work.run_id).parent_id == one.run_id
        assert (
            Lease.objects.get().bucket_id
            == Ready.objects.exclude(bucket_id=bucket_of(waiting)).get().bucket_id
        )
        assert not Bucket.objects.filter(full=True).exists()

    @pytest.mark.parametrize("facts", [{"is_async": True}])
    def test_a_child_for_other_workers_is_left_to_them(self, facts):
        one = executing_run()
        task("apart", queue="task/send", **facts)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL trackside.lane = '0'")
        options = TriggerOptions(parent_id=one.run_id, awaited=True)
        unborn = prepared(one, TriggerItem(task_id="apart", options=options))
        assert left(one, unborn, take=Next.SAME).next is None
        assert Run.objects.get(pk=unborn.ids[0]).status == "QUEUED"

    def test_a_child_this_code_does_not_have_is_left_to_others(self):
        by = session(tasks=["send"])
        session(tasks=["send", "apart"])
        one = executing_run(by)
        task("apart", queue="task/send")
        options = TriggerOptions(parent_id=one.run_id, awaited=True)
        unborn = prepared(one, TriggerItem(task_id="apart", options=options))
        assert left(one, unborn, take=Next.SAME).next is None

    def test_a_child_is_locked_to_the_version_of_its_parent(self):
        one = executing_run()
        Run.objects.filter(pk=one.run_id).update(version="v7")
        unborn = prepared(one)
        assert unborn.runs[0].get("version", unborn.common.get("version")) == "v7"

    def test_a_wait_is_flushed_by_the_end_of_the_child_that_has_its_slot(self):
        one, other = executing_run(), executing_run()
        left(other, prepared(other))
        assert flushes()
        left(one, prepared(one), take=Next.SAME)
        assert not flushes()

    def test_a_parent_that_waits_for_two_waits_on(self):
        one = executing_run()
        options = TriggerOptions(parent_id=one.run_id, awaited=True)
        unborn = prepared(one, *[TriggerItem(task_id="send", options=options)] * 2)
        first = left(one, unborn, take=Next.SAME).next
        (second,) = turn(first).works
        assert second.run_id == unborn.ids[1]
        assert [work.run_id for work in turn(second).works] == [one.run_id]

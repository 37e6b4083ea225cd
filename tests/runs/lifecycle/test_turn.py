"""A worker's turn: what it did is recorded, and it gets what comes next."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import attempts, store
from runs.lifecycle.store import Done, Next
from runs.models import Attempt, Bucket, Event, Lease, Queue, Ready, Run, WorkerSession
from runs.states import AttemptStatus, RunStatus
from tests.support.factories import (
    claim,
    dequeued_run,
    executing_run,
    finish,
    queue,
    queued_run,
    session,
    start,
    task,
)
from tests.support.threads import together
from tests.support.waiting import eventually

pytestmark = pytest.mark.django_db
SECOND = 1_000_000_000


def turn(*ended, take=Next.SAME, most=16, pid=1):
    return store.current().turn(list(ended), take, most, pid)


def done(one, output='"done"', began=0.002, ended=0.001):
    """`one` returned: it was entered and left so many seconds ago."""
    now = time.monotonic_ns()
    moments = (now - int(began * SECOND), now - int(ended * SECOND))
    return Done(one.run_id, one.token, output, *moments)


def kinds(run_id):
    events = Event.objects.filter(run_id=run_id).order_by("id")
    return [event.kind for event in events if event.kind in ("started", "completed", "canceled")]


def plan_otherwise():
    with connection.cursor() as cursor:
        for name in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"):
            cursor.execute(f"SET LOCAL enable_{name} = off")


def test_what_was_done_is_recorded_with_its_times():
    one = executing_run()
    assert turn(done(one, began=3.0, ended=1.0)) == store.Turn([], [])
    run, attempt = one.run, Attempt.objects.get()
    assert (run.status, run.output, attempt.status) == ("COMPLETED", '"done"', "COMPLETED")
    assert not Lease.objects.exists()
    assert kinds(run.pk) == ["started", "completed"]


def test_an_end_is_not_dated_before_it(monkeypatch):
    """Whoever records it may be held up between any two looks at a clock."""
    one = executing_run()
    before, tick, now = timezone.now(), time.monotonic_ns, timezone.now
    ended = done(one, began=0.0, ended=0.0)
    late = iter(range(1000))
    monkeypatch.setattr(time, "monotonic_ns", lambda: tick() + next(late) * SECOND)
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(seconds=next(late)))
    turn(ended)
    monkeypatch.undo()
    assert one.run.finished_at >= before


def test_a_run_that_was_taken_back_does_not_count():
    by = session()
    one, other = executing_run(by), executing_run(by)
    Lease.objects.filter(pk=one.run_id).update(token="the reaper's")
    assert turn(done(one), done(other), take=Next.NONE).lost == [one.run_id]
    assert (one.run.status, other.run.status) == (RunStatus.EXECUTING, RunStatus.COMPLETED)


def test_a_repeated_turn_is_no_loss():
    one = executing_run()
    ended = done(one)
    assert turn(ended) == turn(ended) == store.Turn([], [])
    assert kinds(one.run_id) == ["started", "completed"]


def test_a_bucket_with_a_limit_gives_one_run_and_records_its_start():
    queue("mail", limit=1)
    one = executing_run(queue="mail")
    heirs = [queued_run(queue="mail") for _ in range(3)]
    (work,) = turn(done(one)).works
    assert (work.run_id, work.begun) == (heirs[0].pk, True)
    assert Run.objects.get(pk=work.run_id).status == RunStatus.EXECUTING
    assert Lease.objects.count() == 1


@pytest.mark.parametrize("facts", [{"draining": True}, {"state": "DEAD"}])
def test_a_session_that_stops_takes_nothing(facts):
    one = executing_run()
    queued_run()
    WorkerSession.objects.update(**facts)
    assert turn(done(one)) == store.Turn([], [])
    assert one.run.status == RunStatus.COMPLETED


def test_a_paused_queue_is_not_taken_from():
    one = executing_run()
    queued_run()
    lifecycle.pause(one.run.queue, actor="test")
    assert turn(done(one)) == store.Turn([], [])


def test_nothing_is_taken_unasked():
    one = executing_run()
    queued_run()
    assert turn(done(one), take=Next.NONE) == store.Turn([], [])


def test_a_start_that_comes_late_is_dated_back():
    one = dequeued_run()
    lifecycle.cancel(one.run_id, actor="test")
    work = store.current().start(*one.lease, 1, time.monotonic_ns() - 5 * SECOND)
    assert work.begun
    assert one.run.status == RunStatus.EXECUTING
    age = timezone.now() - Lease.objects.get().started_at
    assert timedelta(seconds=4) < age < timedelta(seconds=60)


def test_a_run_that_was_given_back_is_known_by_it():
    by = session()
    first = dequeued_run(by)
    assert not start(first).retaken
    finish(attempts.release(*first.lease, "back"))
    (again,) = claim(by)
    assert start(again).retaken


class TestTogether:
    """Several short runs in one commit."""

    @pytest.fixture
    def taken(self):
        """Three runs that were taken together, none of them started."""
        one = executing_run()
        runs = [queued_run() for _ in range(4)]
        works = turn(done(one), most=3).works
        assert [work.run_id for work in works] == [run.pk for run in runs[:3]]
        return works

    def test_they_are_dequeued(self, taken):
        assert not any(work.begun or work.retaken for work in taken)
        statuses = Run.objects.filter(pk__in=[work.run_id for work in taken]).values("status")
        assert {row["status"] for row in statuses} == {RunStatus.DEQUEUED}
        assert Lease.objects.filter(started_at=None, pid=1).count() == 3

    def test_never_more_than_asked_for_whatever_the_plan(self, taken):
        ended = taken[0]
        for _ in range(6):
            queued_run()
        if connection.vendor == "postgresql":
            plan_otherwise()
        assert len(turn(done(ended), most=2).works) == 2

    def test_their_starts_are_recorded_with_their_ends(self, taken):
        rest = turn(*[done(work, began=0.5, ended=0.25) for work in taken])
        assert len(rest.works) == 1
        for work in taken:
            run, attempt = Run.objects.get(pk=work.run_id), Attempt.objects.get(run_id=work.run_id)
            assert (run.status, run.attempt_number) == (RunStatus.COMPLETED, 1)
            assert kinds(run.pk) == ["started", "completed"]
            assert run.executed_at == attempt.started_at
            assert run.finished_at - run.executed_at == timedelta(seconds=0.25)
            assert run.usage_ms == 250

    def test_one_of_them_started_meanwhile_is_started_once(self, taken):
        store.current().start(taken[0].run_id, taken[0].token, 1, time.monotonic_ns())
        turn(done(taken[0]))
        assert kinds(taken[0].run_id) == ["started", "completed"]

    def test_a_canceled_one_is_canceled(self, taken):
        lifecycle.cancel(taken[1].run_id, actor="test")
        turn(*map(done, taken))
        run = Run.objects.get(pk=taken[1].run_id)
        assert (run.status, run.output) == (RunStatus.CANCELED, None)
        assert Attempt.objects.get(run_id=run.pk).status == AttemptStatus.CANCELED
        assert kinds(run.pk) == ["started", "canceled"]

    def test_one_that_ended_before_it_was_canceled_ends_after_that(self, taken):
        ended = done(taken[0], began=2, ended=1)
        lifecycle.cancel(taken[0].run_id, actor="test")
        turn(ended)
        run = Run.objects.get(pk=taken[0].run_id)
        since = Event.objects.filter(run_id=run.pk, at__gte=run.cancel_requested_at)
        asked, *_, canceled = since.order_by("id")
        assert [asked.kind, canceled.kind] == ["cancel_requested", "canceled"]
        assert run.cancel_requested_at <= run.finished_at == canceled.at
        assert Attempt.objects.get(run_id=run.pk).finished_at < run.cancel_requested_at

    def test_a_lost_answer_is_given_again(self, taken):
        ended = done(taken[0])
        finish(attempts.release(taken[1].run_id, taken[1].token, "", started=False))
        finish(attempts.release(taken[2].run_id, taken[2].token, "", started=False))
        first, second = turn(ended, most=2), turn(ended, most=2)
        assert first == second
        assert len(first.works) == 2

    def test_those_that_were_given_back_are_known_by_it(self, taken):
        for work in taken[1:]:
            ending = attempts.release(work.run_id, work.token, "back", started=False)
            assert finish(ending).won
        again = turn(done(taken[0]), most=3).works
        assert [work.retaken for work in again] == [True, True, False]
        assert not Attempt.objects.filter(run_id__in=[work.run_id for work in taken[1:]]).exists()

    def test_those_whose_time_is_over_expire(self, taken):
        late = queued_run(ttl=3600)
        next_one = queued_run()
        Run.objects.filter(pk=late.pk).update(expires_at=timezone.now())
        works = turn(done(taken[0])).works
        assert [work.run_id for work in works][-1] == next_one.pk
        assert late.pk not in [work.run_id for work in works]
        assert Run.objects.get(pk=late.pk).status == RunStatus.EXPIRED

    def test_what_is_for_several_kinds_of_workers_is_taken_in_its_order(self, taken):
        task("apart", queue="apart", is_async=True)
        queued_run(task_id="apart")
        (work,) = turn(*map(done, taken)).works
        assert work.begun

    def test_what_is_pinned_has_its_turn(self, taken):
        pinned = queued_run(priority=60)
        Ready.objects.filter(pk=pinned.pk).update(pin=WorkerSession.objects.get().version)
        (work,) = turn(*map(done, taken)).works
        assert (work.run_id, work.begun) == (pinned.pk, True)

    def test_those_of_another_version_or_of_tasks_it_lacks_are_left(self, taken):
        other, lacking, ours = queued_run(priority=60), queued_run(priority=60), queued_run()
        Run.objects.filter(pk=other.pk).update(version="another")
        Run.objects.filter(pk=lacking.pk).update(task_id="unknown")
        WorkerSession.objects.update(lacking="\nunknown\n")
        works = turn(*map(done, taken)).works
        assert ours.pk in [work.run_id for work in works]
        assert not {other.pk, lacking.pk} & {work.run_id for work in works}
        back = Ready.objects.filter(pk__in=[other.pk, lacking.pk])
        assert [ready.not_before is None for ready in back] == [False, False]

    def test_ends_of_which_some_were_lost(self, taken):
        Lease.objects.filter(pk=taken[0].run_id).update(token="the reaper's")
        found = turn(*map(done, taken))
        assert found.lost == [taken[0].run_id]
        assert len(found.works) == 1
        assert Run.objects.get(pk=taken[1].run_id).status == RunStatus.COMPLETED

    def test_a_limit_set_meanwhile_holds_from_the_next_turn_on(self, taken):
        Queue.objects.update(override_limit=1)
        works = turn(*map(done, taken)).works
        assert len(works) == 1
        assert works[0].begun


class TestAcross:
    """One run of each of several buckets in one commit."""

    @pytest.fixture
    def heads(self):
        """The first of two runs of each of three keys, with one slot each."""
        queue("mail", limit=1)
        made = [queued_run(queue="mail", concurrency_key=key) for key in "abcabc"]
        return [run.pk for run in made[:3]]

    @pytest.fixture
    def one(self, heads):
        lifecycle.pause("mail", actor="test")
        executing = executing_run()
        lifecycle.resume("mail", actor="test")
        return executing

    def taken(self, *ended, **how):
        return [work.run_id for work in turn(*map(done, ended), **how).works]

    def test_each_key_gives_one(self, heads, one):
        works = turn(done(one)).works
        assert [work.run_id for work in works] == heads
        assert not any(work.begun or work.retaken for work in works)
        assert Lease.objects.count() == 3
        again = turn(*map(done, works)).works
        assert len(again) == 3
        assert not {work.run_id for work in again} & set(heads)
        assert Lease.objects.count() == 3
        assert turn(*map(done, again)) == store.Turn([], [])
        assert set(Run.objects.values_list("status", flat=True)) == {RunStatus.COMPLETED}

    def test_a_taken_slot_is_not_taken_twice(self, heads, one):
        held = {claimed.run_id: claimed for claimed in claim(session(), 3)}
        assert set(held) == set(heads)
        finish(attempts.complete(*held[heads[1]].lease, None))
        second_of_b = Run.objects.filter(concurrency_key="b", status="QUEUED").get().pk
        assert self.taken(one) == [second_of_b]

    def test_an_outdated_flag_is_no_room(self, heads, one):
        claim(session(), 3)
        Bucket.objects.update(full=False)
        assert self.taken(one) == []
        assert Bucket.objects.filter(full=True).count() == 3

    def test_never_more_than_asked_for(self, heads, one):
        assert len(self.taken(one, most=2)) == 2

    def test_a_paused_queue_is_left_out(self, heads, one):
        lifecycle.pause("mail", actor="test")
        other = queued_run(task_id="other")
        assert self.taken(one) == [other.pk]

    def test_a_limit_over_all_keys_is_counted_run_by_run(self, heads, one):
        Queue.objects.filter(name="mail").update(total_limit=2)
        (work,) = turn(done(one)).works
        assert work.begun

    def test_the_expired_leave_their_slots(self, heads, one):
        Run.objects.filter(pk=heads[0]).update(expires_at=timezone.now())
        assert self.taken(one) == heads[1:]
        assert Run.objects.get(pk=heads[0]).status == RunStatus.EXPIRED
        (third,) = claim(session())
        assert Run.objects.get(pk=third.run_id).concurrency_key == "a"

    def test_a_slot_is_handed_on_in_its_own_queue(self):
        for name in ("first", "second"):
            task(name, queue=name)
        by = session()
        held = [executing_run(by, task_id=name) for name in ("second", "first")]
        task("apart", queue="apart", is_async=True)
        queued_run(task_id="apart")  # so that there is no taking across
        heir = queued_run(task_id="second")
        (work,) = turn(*map(done, held)).works
        assert work.run_id == heir.pk
        assert Lease.objects.get().queue_id == Queue.objects.get(name="second").pk

    def test_a_bucket_alone_hands_its_slot_on(self, heads, one):
        works = turn(done(one)).works
        Run.objects.filter(concurrency_key__in="bc", status="QUEUED").delete()
        (heir,) = turn(*[done(work) for work in works if work.concurrency_key == "a"]).works
        assert (heir.concurrency_key, heir.begun) == ("a", True)


@pytest.mark.django_db(transaction=True)
def test_ends_of_the_same_runs_in_another_order_do_not_meet():
    """Leases are locked by id: whoever waits for the first holds none of the others."""
    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time")
    one, other = sorted(
        [executing_run(by := session()), executing_run(by)], key=lambda it: it.run_id
    )
    Lease.objects.filter(pk=one.run_id).update(pid=1)  # behind the other in the table, too
    beside = connection.copy()
    waiting = threading.Thread(target=together, args=([lambda: turn(done(other), done(one))],))
    lock = "SELECT 1 FROM runs_lease WHERE run_id = %s FOR UPDATE"
    try:
        with beside.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(lock, [one.run_id])
            waiting.start()
            eventually(lambda: blocked(cursor))
            cursor.execute(f"{lock} NOWAIT", [other.run_id])
            cursor.execute("ROLLBACK")
    finally:
        beside.close()
    waiting.join(30)
    assert {one.run.status, other.run.status} == {RunStatus.COMPLETED}


def blocked(cursor):
    """Whether somebody waits for a lock."""
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return cursor.fetchone()[0]

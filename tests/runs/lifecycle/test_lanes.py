"""Runs of `async def` tasks stand in a lane of their own: who takes them, and that limits count both."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import attempts, sessions, store
from runs.lifecycle.store import Next, SessionLost
from runs.models import Bucket, Lane, Ready, Run, Task
from tests.support import factories
from tests.support.factories import (
    executing_run,
    finish,
    held,
    history,
    parked_run,
    queue,
    session,
    trigger,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def mixed():
    """A queue that both kinds of tasks use."""
    queue("mixed")
    factories.task("plain", queue="mixed")
    factories.task("async", queue="mixed", is_async=True)


@pytest.fixture
def keep_to(request):
    """Let the store of the test take one lane only; a connection of the test's own for it."""

    def kept(lane):
        opened = store.current()
        opened.keep_to(lane)
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL trackside.lane = '{int(lane)}'")
        return opened

    return kept


def taken(opened, by, slots=10):
    return [claim.run_id for claim in opened.claim(by.pk, slots)]


def test_a_run_has_the_lane_of_its_task(mixed):
    assert trigger("plain").lane == Lane.ALONE
    run = trigger("async")
    assert (run.lane, Ready.objects.get(pk=run.pk).lane) == (Lane.SHARED, Lane.SHARED)


def test_each_kind_of_worker_takes_its_lane(mixed, keep_to):
    by = session()
    plain = [trigger("plain").pk for _ in range(3)]
    shared = [trigger("async").pk for _ in range(3)]
    assert taken(keep_to(Lane.SHARED), by) == shared
    assert not store.current().has_shared()
    assert taken(keep_to(Lane.ALONE), by) == plain


def test_who_keeps_to_no_lane_takes_both_in_their_order(mixed):
    ids = [trigger(name).pk for name in ("async", "plain", "async", "async", "plain")]
    assert taken(store.current(), session()) == ids


def test_nothing_of_the_other_lane_is_inherited(mixed, keep_to):
    by = session()
    first, second = trigger("plain"), trigger("plain")
    opened = keep_to(Lane.ALONE)
    one = held(by, opened.claim(by.pk, 1)[0])
    assert one.run_id == first.pk
    opened.start(*one.lease, 1)
    trigger("async", priority=100.0)
    found = opened.finish(attempts.complete(*one.lease, None), Next.SAME, 1)
    assert found.next.run_id == second.pk


def test_together_only_runs_of_the_lane_are_taken(mixed, keep_to):
    by, opened = session(), keep_to(Lane.ALONE)
    ids = [trigger(name).pk for name in ("plain", "async", "plain", "plain")]
    one = held(by, opened.claim(by.pk, 1)[0])
    opened.start(*one.lease, 1)
    turn = opened.turn([store.Done(*one.lease, None, 1, 2)], Next.SAME, 8, 1)
    assert {work.run_id for work in turn.works} <= {ids[2], ids[3]}
    assert turn.works


def test_both_lanes_count_for_a_limit(keep_to):
    queue("mixed", limit=2)
    factories.task("plain", queue="mixed")
    factories.task("async", queue="mixed", is_async=True)
    by = session()
    for name in ("plain", "async", "plain", "async"):
        trigger(name)
    assert len(taken(keep_to(Lane.SHARED), by)) == 2
    assert taken(keep_to(Lane.ALONE), by) == []


def opens_now():
    """The rate lets one more start, from this moment on."""
    Bucket.objects.update(arrival=time.time_ns() // 1000, opens_at=None, full=False)


def test_a_rate_lets_both_lanes_start_in_the_order_of_their_runs(keep_to):
    queue("mixed", rate="10/1h")
    factories.task("plain", queue="mixed")
    factories.task("async", queue="mixed", is_async=True)
    by = session()
    ids = [trigger(name).pk for name in ("plain", "async", "plain", "async")]
    assert taken(keep_to(Lane.ALONE), by) == ids[:1]
    turns = [(Lane.ALONE, Lane.SHARED), (Lane.SHARED, Lane.ALONE), (Lane.ALONE, Lane.SHARED)]
    for (first, second), run_id in zip(turns, ids[1:], strict=True):
        opens_now()
        assert taken(keep_to(first), by) == []
        opens_now()
        assert taken(keep_to(second), by) == [run_id]


def test_nobody_waits_for_workers_of_the_other_lane_that_do_not_come(keep_to):
    queue("mixed", rate="10/1h")
    factories.task("plain", queue="mixed")
    factories.task("async", queue="mixed", is_async=True)
    by = session()
    ids = [trigger(name).pk for name in ("plain", "async", "plain")]
    opened = keep_to(Lane.ALONE)
    assert taken(opened, by) == ids[:1]
    factories.passes(361)
    lifecycle.promote_due()
    assert taken(opened, by) == ids[2:]


def test_a_run_comes_back_to_its_lane(mixed):
    for ending in (
        lambda one: finish(attempts.release(*one.lease, "")),
        lambda one: finish(attempts.retry(*one.lease, factories.ERROR, 60)),
        lambda one: factories.suspend(one, due=timezone.now() + timedelta(hours=1)),
    ):
        one = executing_run(task_id="async")
        ending(one)
        assert Ready.objects.get(pk=one.run_id).lane == Lane.SHARED
        lifecycle.cancel(one.run_id, actor="user:ada")


def test_a_run_that_was_there_before_its_task_gets_its_lane():
    run = parked_run("late")
    assert run.lane == Lane.ALONE
    factories.task("late", is_async=True)
    lifecycle.unpark(["late"])
    assert Ready.objects.get(pk=run.pk).lane == Lane.SHARED
    assert Run.objects.get(pk=run.pk).lane == Lane.SHARED


def test_many_are_claimed_and_started_at_once(mixed):
    by = session()
    ids = [trigger("async").pk for _ in range(3)]
    works = store.current().claim_started(by.pk, 2, 7)
    assert [(work.run_id, work.begun) for work in works] == [(ids[0], True), (ids[1], True)]
    assert history(ids[0]) == ["triggered", "started"]
    assert [work.token for work in store.current().held_by(by.pk, 7)] == [w.token for w in works]
    assert store.current().held_by(by.pk, 8) == []


def test_all_seats_are_filled_from_one_queue(mixed, keep_to):
    by, opened = session(), keep_to(Lane.SHARED)
    plain, late = trigger("plain"), trigger("async", ttl=60)
    ids = [trigger("async").pk for _ in range(6)]
    Run.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    works = opened.claim_started(by.pk, 5, 7)
    assert [work.run_id for work in works] == ids[:5]
    assert len({work.token for work in works}) == 5
    for work in works:
        run = Run.objects.get(pk=work.run_id)
        assert (run.status, run.attempt_number, work.attempt) == ("EXECUTING", 1, 1)
        assert run.executed_at == run.started_at == work.started_at
        assert (work.begun, work.resumed, work.retaken) == (True, False, False)
        assert history(work.run_id) == ["triggered", "started"]
    assert [work.token for work in opened.held_by(by.pk, 7)] == [work.token for work in works]
    assert Run.objects.get(pk=late.pk).status == "EXPIRED"
    assert Ready.objects.filter(pk__in=[plain.pk, ids[5]]).count() == 2


def test_seats_are_shared_out_among_queues(mixed, keep_to):
    queue("other")
    ids = [trigger("async").pk for _ in range(4)]
    other = [trigger("async", queue="other").pk for _ in range(2)]
    works = keep_to(Lane.SHARED).claim_started(session().pk, 4, 7)
    assert {work.run_id for work in works} == {*ids[:2], *other}


@pytest.mark.parametrize("limits", [{"limit": 2}, {"total": 2}, {"rate": "10/1h burst 2"}])
def test_limits_hold_where_many_are_taken(keep_to, limits):
    queue("few", **limits)
    factories.task("async", queue="few", is_async=True)
    for _ in range(5):
        trigger("async")
    by, opened = session(), keep_to(Lane.SHARED)
    works = opened.claim_started(by.pk, 5, 7)
    assert len(works) == 2
    done = [store.Done(work.run_id, work.token, None, 1, 2) for work in works]
    again = opened.turn_over(done, by.pk, 5, 7)
    assert len(again.works) == (0 if "rate" in limits else 2)


def test_what_is_done_and_what_comes_in_its_place_are_one_write(mixed, keep_to):
    by, opened = session(), keep_to(Lane.SHARED)
    ids = [trigger("async").pk for _ in range(5)]
    works = opened.claim_started(by.pk, 3, 7)
    done = [store.Done(work.run_id, work.token, '"ok"', 1, 2) for work in works]
    lost = done[0]._replace(token="the reaper's")
    turn = opened.turn_over([lost, *done[1:]], by.pk, 2, 7)
    assert turn.lost == [ids[0]]
    assert [work.run_id for work in turn.works] == ids[3:]
    statuses = [Run.objects.get(pk=run_id).status for run_id in ids]
    assert statuses == ["EXECUTING", "COMPLETED", "COMPLETED", "EXECUTING", "EXECUTING"]


def test_a_lost_session_starts_nothing(mixed):
    by = session()
    sessions.close(by.pk)
    trigger("async")
    with pytest.raises(SessionLost):
        store.current().claim_started(by.pk, 2, 7)


def test_the_head_of_a_lane_is_found_by_its_index():
    Task.objects.all().delete()
    with connection.cursor() as cursor:
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"{explain} SELECT run_id FROM runs_ready WHERE bucket_id = 1 AND lane = 1 AND pin = '' "
            "AND not_before IS NULL ORDER BY sort_key, run_id LIMIT 1"
        )
        plan = str(cursor.fetchall())
    assert "ready_head" in plan or "ready_shared" in plan
    assert "SORT" not in plan.upper().replace("SORT_KEY", "")

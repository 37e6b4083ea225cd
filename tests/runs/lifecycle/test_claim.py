import time
from functools import partial

import pytest
from django.db import connection, transaction

from runs import lifecycle
from runs.lifecycle import Limits, attempts, sessions, store
from runs.lifecycle.store import heads
from runs.models import Bucket, Lease, Queue, Ready, Run, SessionState, WorkerSession
from runs.states import RunStatus
from tests.support.factories import (
    claim,
    complete,
    finish,
    history,
    queue,
    session,
    start,
    task,
    tries,
    trigger,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db


def some(count, **options):
    return [trigger(**options) for _ in range(count)]


def ids(held):
    return [one.run_id for one in held]


def test_a_claimed_run_is_leased_and_dequeued():
    run, by = trigger(), session()
    one = claim(by)[0]
    lease = Lease.objects.get(run_id=run.pk)
    assert (lease.token, lease.session_id, lease.attempt) == (one.token, by.pk, 1)
    assert (one.run.status, one.run.attempt_number) == (RunStatus.DEQUEUED, 0)
    assert not Ready.objects.exists()
    assert history(run.pk) == ["triggered", "dequeued"]


def test_started_it_executes_its_first_attempt():
    trigger(payload="[1]", tags=("a",), concurrency_key="k")
    one = claim(session())[0]
    work = start(one, pid=42)
    assert (work.run_id, work.token, work.attempt) == (one.run_id, one.token, 1)
    assert (work.payload, work.tags, work.concurrency_key) == ("[1]", '["a"]', "k")
    assert tries(one.run_id) == [(1, "EXECUTING")]
    assert history(one.run_id) == ["triggered", "dequeued", "started"]
    assert one.run.executed_at >= one.run.started_at


def test_a_start_whose_answer_was_lost_answers_again():
    trigger()
    one = claim(session())[0]
    assert start(one, pid=42) == start(one, pid=42)
    assert one.run.status == RunStatus.EXECUTING
    assert history(one.run_id).count("started") == 1


def test_a_start_that_two_processes_tell_late_is_one():
    """The bookkeeper of a worker that died, and the dispatcher that looked at it a moment before."""
    trigger()
    one, began = claim(session())[0], time.monotonic_ns()
    told = store.current().start(*one.lease, 42, began)
    assert store.current().start(*one.lease, 0, began) == told
    assert one.run.status == RunStatus.EXECUTING
    assert history(one.run_id).count("started") == 1


def test_a_start_without_the_lease_starts_nothing():
    trigger()
    one = claim(session())[0]
    assert store.current().start(one.run_id, "stolen", 1) is None
    assert one.run.status == RunStatus.DEQUEUED


def test_claims_no_more_than_it_has_slots_for():
    some(5)
    by = session()
    assert [len(claim(by, slots)) for slots in (0, 2, 9, 1)] == [0, 2, 3, 0]


def test_delayed_and_parked_runs_are_not_claimed():
    trigger(delay=60.0)
    lifecycle.promote_due()
    assert claim(session(), 5) == []
    assert not store.current().claimable()


def test_a_lapsed_run_expires_on_the_way():
    lapsed, run = trigger(ttl=0.000001), trigger()
    assert ids(claim(session())) == [run.pk]
    assert Run.objects.get(pk=lapsed.pk).status == RunStatus.EXPIRED
    assert history(lapsed.pk) == ["triggered", "expired"]


def test_a_reaped_session_claims_nothing():
    trigger()
    by = session()
    WorkerSession.objects.update(state=SessionState.DEAD)
    with pytest.raises(store.SessionLost):
        claim(by)
    assert not Lease.objects.exists()


def test_a_limit_holds_for_each_key():
    queue("mail", limit=2)
    for key in ("a", "b", None):
        some(3, queue="mail", concurrency_key=key)
    held = claim(session(), 20)
    keys = [one.run.concurrency_key for one in held]
    assert sorted(keys, key=str) == [None, None, "a", "a", "b", "b"]
    assert not store.current().claimable()


def test_a_total_limit_holds_over_all_keys():
    queue("mail", limit=2, total=3)
    for key in ("a", "b", "c"):
        some(3, queue="mail", concurrency_key=key)
    held = claim(session(), 20)
    assert len(held) == 3
    complete(held[0])
    assert len(claim(session(), 20)) == 1


def test_an_end_makes_room_for_one():
    queue("mail", limit=1)
    some(3, queue="mail")
    by = session()
    first = claim(by, 3)
    assert (len(first), claim(by, 3)) == (1, [])
    finish(attempts.release(*first[0].lease, "", started=False))
    assert ids(claim(by, 3)) == ids(first)


def test_a_run_that_was_canceled_before_its_start_gives_its_slot_back():
    queue("mail", limit=1)
    first, second = some(2, queue="mail")
    by = session()
    (one,) = claim(by, 5)
    lifecycle.cancel(first.pk, actor="user:ada")
    assert start(one) is None
    assert [held.run_id for held in claim(by, 5)] == [second.pk]


@pytest.mark.parametrize("limit", [0, 1])
def test_nothing_starts_at_the_limit(limit):
    queue("mail", limit=limit)
    some(2, queue="mail")
    assert len(claim(session(), 5)) == limit


def test_a_paused_queue_starts_nothing_until_it_is_resumed():
    queue("mail")
    some(2, queue="mail")
    by = session()
    lifecycle.pause("mail", actor="user:ada")
    assert (claim(by), store.current().claimable()) == ([], False)
    lifecycle.resume("mail", actor="user:ada")
    assert len(claim(by, 5)) == 2


def test_a_higher_override_lets_a_full_queue_go_on():
    queue("mail", limit=1)
    some(5, queue="mail")
    by = session()
    assert len(claim(by, 5)) == 1
    lifecycle.override_limit("mail", 3, actor="user:ada")
    assert len(claim(by, 5)) == 2
    lifecycle.reset_limit("mail", actor="user:ada")
    assert claim(by, 5) == []


def test_a_lower_override_stops_nothing_but_starts_nothing():
    queue("mail", limit=3)
    some(6, queue="mail")
    by = session()
    held = claim(by, 3)
    lifecycle.override_limit("mail", 1, actor="user:ada")
    for one in held[:2]:
        complete(one)
        assert claim(by, 5) == []
    complete(held[2])
    assert len(claim(by, 5)) == 1


def test_a_raised_total_limit_lets_a_full_queue_go_on():
    queue("mail", total=1)
    some(3, queue="mail")
    by = session()
    assert len(claim(by, 5)) == 1
    lifecycle.set_limits("mail", concurrency_limit=None, total_limit=None)
    assert len(claim(by, 5)) == 2


def test_an_overridden_total_limit_holds_until_it_is_reset():
    queue("mail", total=4)
    for key in "abcdef":
        trigger(queue="mail", concurrency_key=key)
    by = session()
    lifecycle.override_limits("mail", Limits(total=1), actor="user:ada")
    (one,) = claim(by, 9)
    assert start(one)
    assert complete(one, store.Next.ANY).next is not None
    assert claim(by, 9) == []
    lifecycle.reset_limit("mail", actor="user:ada")
    assert len(claim(by, 9)) == 3


def test_every_bucket_is_served_within_two_rounds():
    queue("mail")
    for key in range(8):
        some(20 if key == 0 else 2, queue="mail", concurrency_key=str(key))
    task("other")
    some(20, task_id="other")
    by = session()
    served = [claim(by)[0].run for _ in range(18)]
    assert {(run.queue, run.concurrency_key) for run in served} == {
        ("task/other", None),
        *(("mail", str(key)) for key in range(8)),
    }


def test_a_bucket_at_its_limit_is_not_looked_at_again():
    queue("mail", limit=1)
    some(2, queue="mail", concurrency_key="a")
    claim(session(), 5)
    assert Bucket.objects.get().full
    assert not store.current().claimable()


def test_the_next_bucket_is_found_by_an_index():
    queue("mail", limit=1)
    made = Queue.objects.get(name="mail")
    Bucket.objects.bulk_create(
        Bucket(queue=made, concurrency_key=str(key), key_hash=str(key), full=key % 2 == 1)
        for key in range(5000)
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE runs_bucket")
            cursor.execute(
                'EXPLAIN SELECT id FROM runs_bucket WHERE NOT "full" ORDER BY served LIMIT 1'
            )
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {heads.open_bucket((0, 1))}", ("1",))
        plan = str(cursor.fetchall())
    assert "bucket_by_service" in plan


class Audit:
    """Looks after every step of many workers whether a limit was exceeded."""

    def __init__(self, limit, total=None):
        self.limit, self.total, self.worst, self.sum = limit, total, 0, 0

    def look(self):
        leases = list(Lease.objects.values_list("bucket_id", flat=True))
        self.worst = max([self.worst, *(leases.count(bucket) for bucket in set(leases))])
        self.sum = max(self.sum, len(leases))


def work(audit, by, own, take):
    """Claim, start and finish until nothing is left; looks between the steps."""
    idle = 0
    while idle < 40:
        claims = own.claim(by.pk, 2)
        idle = 0 if claims else idle + 1
        audit.look()
        for one in claims:
            assignment = own.start(one.run_id, one.token, 1)
            while assignment:
                ending = attempts.complete(assignment.run_id, assignment.token, "1")
                audit.look()
                assignment = own.finish(ending, take, 1).next


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("take", list(store.Next))
@pytest.mark.parametrize("total", [None, 3])
def test_limits_hold_between_many_workers(take, total):
    queue("mail", limit=2, total=total)
    for number in range(60):
        trigger(queue="mail", concurrency_key=str(number % 3))
    audit = Audit(2, total)

    def worker():
        own = store.dedicated()
        try:
            work(audit, session(), own, take)
        finally:
            own.close()

    together([worker] * 4)
    assert set(Run.objects.values_list("status", flat=True)) == {RunStatus.COMPLETED}
    assert (audit.worst <= 2, audit.sum <= (total or 6)) == (True, True)


@pytest.mark.django_db(transaction=True)
def test_overrides_race_with_claims_without_deadlock_or_a_stuck_queue():
    queue("mail", limit=2, total=4)
    for number in range(60):
        trigger(queue="mail", concurrency_key=str(number % 3))

    def worker():
        own = store.dedicated()
        try:
            work(Audit(5), session(), own, store.Next.SAME)
        finally:
            own.close()

    def steer():
        for limit in [1, 5, 2, 4] * 5:
            lifecycle.override_limit("mail", limit, actor="user:ada")
            lifecycle.pause("mail", actor="user:ada")
            lifecycle.resume("mail", actor="user:ada")
        lifecycle.reset_limit("mail", actor="user:ada")

    together([worker, worker, worker, steer])
    by = session()
    while held := claim(by, 5):
        for one in held:
            complete(one)
    assert set(Run.objects.values_list("status", flat=True)) == {RunStatus.COMPLETED}


@pytest.mark.django_db(transaction=True)
def test_every_run_is_claimed_once():
    some(80)
    by = session()

    def claimer():
        mine = []
        while held := claim(by, 3):
            mine += ids(held)
        return mine

    claimed = [run for mine in together([claimer] * 4) for run in mine]
    assert len(claimed) == len(set(claimed))
    claimed += ids(claim(by, 80))
    assert len(set(claimed)) == 80


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="writers are serial on SQLite")
def test_a_claim_passes_over_locked_rows_and_claimable_says_so():
    trigger()
    by = session()
    with transaction.atomic():
        list(Bucket.objects.select_for_update())
        assert together([partial(claim, by)]) == [[]]
        assert together([lambda: store.current().claimable()]) == [True]
    assert len(claim(by)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_a_reaper_never_both_have_the_run():
    for _ in range(10):
        run, by = trigger(), session()
        WorkerSession.objects.filter(pk=by.pk).update(expires_at=by.started_at)

        def claimer(by=by):
            try:
                return len(claim(by))
            except store.SessionLost:
                return 0

        together([claimer, sessions.reap])
        sessions.reap()
        assert not Lease.objects.exists()
        assert Run.objects.get(pk=run.pk).status == RunStatus.QUEUED
        lifecycle.cancel(run.pk, actor="t")

"""Queues that space the starts of their runs."""

import random
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption
from runs.lifecycle import Limits, attempts, store
from runs.lifecycle.store import Done, Next
from runs.models import Bucket, Event, Lane, Lease, Ready, Run
from runs.rates import Pace
from runs.states import RunStatus
from tests.support.factories import (
    claim,
    complete,
    finish,
    passes,
    queue,
    session,
    start,
    suspend,
    trigger,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db
HOUR = 3600


def some(count, **options):
    return [trigger(queue="mail", **options) for _ in range(count)]


def started(by, slots=20):
    """How many a claim takes once everything that is due was promoted."""
    lifecycle.promote_due()
    return len(claim(by, slots))


def test_starts_are_spaced():
    queue("mail", rate="10/1h")
    some(3)
    by = session()
    assert (started(by), started(by)) == (1, 0)
    passes(HOUR / 10 - 5)
    assert started(by) == 0
    passes(5)
    assert (started(by), started(by)) == (1, 0)


def test_a_burst_starts_at_once_and_comes_back_slowly():
    queue("mail", rate="10/1h burst 3")
    some(9)
    by = session()
    assert (started(by), started(by)) == (3, 0)
    passes(HOUR / 10)
    assert (started(by), started(by)) == (1, 0)
    passes(100 * HOUR)
    assert started(by) == 3


def test_each_key_has_the_rate_for_itself():
    queue("mail", rate="10/1h")
    for key in ("a", "b", None):
        some(2, concurrency_key=key)
    held = claim(session(), 20)
    assert sorted(str(one.run.concurrency_key) for one in held) == ["None", "a", "b"]
    assert not store.current().claimable()


def test_a_closed_bucket_is_not_looked_at_before_its_time():
    queue("mail", rate="10/1h")
    some(2)
    by = session()
    started(by)
    bucket = Bucket.objects.get()
    assert (bucket.full, bucket.opens_at) == (True, bucket.arrival)
    due_in = (lifecycle.next_due() - timezone.now()).total_seconds()
    assert HOUR / 10 - 10 < due_in <= HOUR / 10
    assert (lifecycle.promote_due(), store.current().claimable()) == (0, False)
    passes(HOUR / 10)
    assert lifecycle.next_due() <= timezone.now()
    assert (lifecycle.promote_due(), store.current().claimable()) == (1, True)
    assert lifecycle.next_due() is None


def test_other_queues_go_on():
    queue("mail", rate="10/1h")
    some(2)
    trigger()
    assert started(session()) == 2


def test_the_limit_holds_beside_the_rate():
    queue("mail", limit=1, rate="10/1h burst 10")
    some(3)
    by = session()
    (one,) = claim(by, 5)
    passes(HOUR)
    assert started(by) == 0
    start(one)
    complete(one)
    assert started(by) == 1


def test_an_end_does_not_open_what_the_rate_closed():
    queue("mail", limit=2, rate="10/1h")
    some(3)
    by = session()
    (one,) = claim(by, 5)
    start(one)
    complete(one)
    assert Bucket.objects.get().full
    assert started(by) == 0
    passes(HOUR / 10)
    assert started(by) == 1


@pytest.mark.parametrize("take", [Next.SAME, Next.ANY])
def test_a_worker_inherits_no_start(take):
    queue("mail", rate="10/1h")
    some(3)
    (one,) = claim(session())
    start(one)
    assert complete(one, take).next is None
    assert not Lease.objects.exists()


def test_a_worker_goes_on_while_the_rate_allows():
    queue("mail", rate="10/1h burst 2")
    _, second, _ = some(3)
    (one,) = claim(session())
    start(one)
    ended = Done(one.run_id, one.token, None, 1, 2)
    turn = store.current().turn([ended], Next.SAME, 16, 1)
    assert [work.run_id for work in turn.works] == [second.pk]
    done = Done(second.pk, turn.works[0].token, None, 1, 2)
    assert store.current().turn([done], Next.SAME, 16, 1).works == []


def test_a_retry_is_a_start():
    queue("mail", rate="10/1h")
    some(1)
    by = session()
    (one,) = claim(by)
    start(one)
    finish(attempts.retry(*one.lease, "{}", 0.0))
    assert started(by) == 0
    passes(HOUR / 10)
    assert started(by) == 1


def back_from_a_wait(by):
    """A run whose wait has just ended, in a queue that its rate has closed."""
    (one,) = claim(by)
    start(one)
    suspend(one)
    assert started(by) == 0
    Ready.objects.filter(pk=one.run_id).update(not_before=timezone.now())
    lifecycle.promote_due()
    return one


def test_a_run_that_comes_back_from_a_wait_is_let_through_and_not_counted():
    queue("mail", rate="10/1h")
    some(3)
    by = session()
    one = back_from_a_wait(by)
    assert store.current().claimable()
    assert [held.run_id for held in claim(by, 5)] == [one.run_id]
    assert not store.current().claimable()
    passes(HOUR / 10)
    assert started(by) == 1


def test_a_limit_holds_it_up_all_the_same():
    queue("mail", limit=1, rate="10/1h burst 2")
    some(3)
    by = session()
    (one,) = claim(by)
    start(one)
    suspend(one)
    (other,) = claim(by, 5)
    Ready.objects.filter(pk=one.run_id).update(not_before=timezone.now())
    lifecycle.promote_due()
    assert (claim(by, 5), store.current().claimable()) == ([], False)
    start(other)
    complete(other)
    assert [held.run_id for held in claim(by, 5)] == [one.run_id]


@pytest.mark.parametrize("change", ["lane", "pause"])
def test_only_those_are_let_through_whom_this_worker_may_take(change):
    queue("mail", rate="10/1h")
    some(3)
    by = session()
    one = back_from_a_wait(by)
    if change == "pause":
        lifecycle.pause("mail", actor="user:ada")
        assert (store.current().claimable(), claim(by, 5)) == (False, [])
        return
    for table in (Ready, Run):
        table.objects.filter(pk=one.run_id).update(lane=Lane.SHARED)
    alone = store.current()
    alone.lanes = (Lane.ALONE,)
    if connection.vendor == "sqlite":
        assert (alone.claimable(), alone.claim(by.pk, 5)) == (False, [])
    assert not alone.claimable()
    assert [held.run_id for held in claim(by, 5)] == [one.run_id]


def test_a_place_that_expired_costs_no_start():
    queue("mail", rate="10/1h")
    late, run = some(1, ttl=0.000001)[0], some(1)[0]
    assert [one.run_id for one in claim(session(), 5)] == [run.pk]
    assert Run.objects.get(pk=late.pk).status == RunStatus.EXPIRED


def test_the_next_by_priority_starts():
    queue("mail", rate="10/1h")
    some(1)
    first = some(1, priority=100.0)[0]
    assert [one.run_id for one in claim(session(), 5)] == [first.pk]


def test_a_delay_is_waited_for_first():
    queue("mail", rate="10/1h")
    some(1, delay=60.0)
    assert started(session()) == 0
    assert not Bucket.objects.get().full


def test_a_faster_rate_holds_at_once():
    queue("mail", rate="1/10d")
    some(2)
    by = session()
    assert (started(by), started(by)) == (1, 0)
    lifecycle.set_limits("mail", concurrency_limit=None, total_limit=None, rate_limit="2/1h")
    assert started(by) == 0
    assert 0 < (lifecycle.next_due() - timezone.now()).total_seconds() <= HOUR / 2
    lifecycle.set_limits("mail", concurrency_limit=None, total_limit=None)
    assert lifecycle.next_due() is None
    assert started(by) == 1


def test_an_override_holds_until_it_is_reset():
    queue("mail", rate="1/10d")
    some(9)
    by = session()
    made = lifecycle.override_limits("mail", Limits(rate="100/1h burst 4"), actor="user:ada")
    assert made.rate.sentence == "100 per hour, 4 at once"
    assert started(by) == 4
    assert lifecycle.reset_limit("mail", actor="user:ada").rate.text == "1/10d"
    passes(HOUR)
    assert started(by) == 1


def test_a_pause_and_its_end_change_no_pace():
    queue("mail", rate="10/1h")
    some(3)
    by = session()
    assert started(by) == 1
    lifecycle.pause("mail", actor="user:ada")
    passes(HOUR / 10)
    assert started(by) == 0
    lifecycle.resume("mail", actor="user:ada")
    assert (started(by), started(by)) == (1, 0)


def test_a_bucket_is_kept_while_its_rate_remembers():
    queue("mail", rate="1/1h")
    some(1, concurrency_key="a")
    (one,) = claim(session())
    start(one)
    complete(one)
    Bucket.objects.update(served=0)
    assert lifecycle.prune_buckets() == 0
    passes(2 * HOUR)
    assert lifecycle.prune_buckets() == 1


def test_a_reader_sees_what_is_left():
    made = queue("mail", rate="10/1h burst 4")
    assert made.pace == Pace(360_000_000, 4)
    assert queue("other").pace is None


def test_random_schedules_keep_to_the_rule():
    """Claims of the database and the rule in Python agree, whatever the times."""
    queue("mail", rate="30/1h burst 4")
    pace, by, chance = Pace(120_000_000, 4), session(), random.Random(7)
    some(60)
    now = arrival = 0
    for _ in range(25):
        gap = chance.choice([0, 10, 60, 130, 250, 700])  # seconds: the real clock goes on too
        passes(gap)
        now += gap * 1_000_000
        wanted, allowed = chance.randint(1, 6), 0
        while allowed < wanted and pace.opens(arrival, now) <= now:
            arrival, allowed = pace.after(arrival, now), allowed + 1
        assert started(by, wanted) == allowed


@pytest.mark.django_db(transaction=True)
def test_clusters_together_start_no_more():
    queue("mail", rate="100/1h burst 5")
    some(30)
    sessions = [session() for _ in range(4)]
    counts = together([partial(rush, by) for by in sessions])
    assert sum(counts) == 5
    assert Event.objects.filter(kind="dequeued").count() == 5


def rush(by):
    return sum(len(claim(by, 3)) for _ in range(6))


def test_what_is_no_rate_is_refused():
    queue("mail")
    for verb in (
        lambda: lifecycle.override_limits("mail", Limits(rate="often"), actor="user:ada"),
        lambda: lifecycle.set_limits(
            "mail", concurrency_limit=None, total_limit=None, rate_limit="often"
        ),
    ):
        with pytest.raises(InvalidOption, match="often"):
            verb()

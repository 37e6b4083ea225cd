"""What a cluster executes never asks for more than it has, and heavy runs get their turn."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.journal import Pause
from runs.lifecycle import TriggerItem, TriggerOptions, attempts, sessions, store, triggering
from runs.lifecycle.store import Done, Next, Pressure, Waits
from runs.machines import PRESETS, Capacity, heavy_lane
from runs.models import Lane, Lease, Ready, Run, Source, WorkerSession
from tests.support import factories
from tests.support.factories import claim, complete, finish, queue, session, start, trigger
from tests.support.threads import together

pytestmark = pytest.mark.django_db
#: What one run of these needs, in vCPUs and gigabytes: 2 and 4, 1 and 2.
BIG, MIDDLE = "medium-2x", "medium-1x"


def cluster(cpu=None, memory=None, *, tight=False):
    has = Capacity(cpu, memory, tight)
    return sessions.open_session("tests", slots=4, version="1", pid=1, capacity=has)


def machines(claims):
    return [one.run.machine for one in claims]


def held_since(by, seconds):
    WorkerSession.objects.filter(pk=by.pk).update(
        held_since=timezone.now() - timedelta(seconds=seconds)
    )


def pressure(by):
    return store.current().pressure(by.pk)


# -- lanes ----------------------------------------------------------------------------------------


def test_what_asks_for_more_than_the_default_machine_is_heavy():
    factories.task("nap", is_async=True)
    lanes = [trigger(machine=name).lane for name in ("micro", "small-1x", "small-2x")]
    assert lanes == [Lane.ALONE, Lane.ALONE, heavy_lane("small-2x")]
    assert [trigger("nap", machine=name).lane for name in ("small-1x", BIG)] == [
        Lane.SHARED,
        heavy_lane(BIG),
    ]


def test_the_default_machine_is_what_the_setting_says(settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "MACHINE": BIG}
    assert (trigger(machine=BIG).lane, trigger(machine="large-1x").lane) == (
        0,
        heavy_lane("large-1x"),
    )


def test_a_retry_on_a_larger_machine_changes_the_lane():
    by = session()
    trigger()
    one = claim(by)[0]
    start(one)
    finish(attempts.retry(*one.lease, factories.ERROR, 0.0, machine=BIG))
    assert (one.run.lane, Ready.objects.get().lane) == (heavy_lane(BIG), heavy_lane(BIG))
    (again,) = claim(by)
    finish(attempts.retry(*again.lease, factories.ERROR, 0.0))
    assert Ready.objects.get().lane == heavy_lane(BIG)


# -- claims ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("has", [(4.0, None), (None, 8.0)])
def test_a_claim_takes_what_fits(has):
    by = cluster(*has)
    for _ in range(3):
        trigger(machine=BIG)
    first, second = claim(by, 4)
    assert claim(by, 4) == []
    complete(first)
    assert len(claim(by, 4)) == 1
    complete(second)


def test_without_a_bound_everything_fits():
    for name in PRESETS:
        trigger(machine=name)
    assert len(claim(session(), 10)) == len(PRESETS)


def test_ordinary_runs_count_while_a_heavy_one_executes():
    by = cluster(memory=5.0)
    trigger(machine=BIG)
    heavy = claim(by, 1)[0]
    for _ in range(5):
        trigger(machine="micro")
    assert len(claim(by, 4)) == 2
    complete(heavy)
    assert len(claim(by, 4)) == 3
    assert not WorkerSession.objects.get(pk=by.pk).weighing


def test_a_capacity_below_that_of_ordinary_runs_counts_always():
    by = cluster(memory=1.0, tight=True)
    for _ in range(4):
        trigger()
    one, _ = claim(by, 4)
    assert pressure(by) == Pressure(True, Waits.NOTHING)
    assert claim(by, 4) == []
    complete(one)
    assert len(claim(by, 4)) == 1


def test_runs_a_worker_holds_together_count_once():
    by = cluster(memory=1.5, tight=True)
    for _ in range(8):
        trigger()
    one = claim(by)[0]
    taken = store.current().turn([Done(*one.lease, None, 1, 2)], Next.SAME, 4, 7).works
    assert len(taken) in (1, 4)  # together on a database server
    assert len(claim(by, 4)) == 2


def test_what_never_fits_waits_and_keeps_nobody_from_anything():
    by = cluster(8.0, 4.0)
    trigger(machine="large-2x")
    trigger(machine=MIDDLE)
    trigger()
    assert machines(claim(by, 4)) == [MIDDLE, "small-1x"]
    assert pressure(by).waits == Waits.NOTHING
    assert WorkerSession.objects.get(pk=by.pk).held_since is None


def test_limits_of_queues_count_heavy_runs_too():
    queue("mail", limit=2)
    for number in range(4):
        trigger(queue="mail", machine=BIG if number % 2 else "micro")
    by = cluster(memory=64.0)
    first, _ = claim(by, 4)
    assert pressure(by).waits == Waits.NOTHING
    complete(first)
    assert len(claim(by, 4)) == 1


# -- workers that go on by themselves -------------------------------------------------------------


@pytest.mark.parametrize("take", [Next.SAME, Next.ANY])
def test_a_worker_takes_no_heavy_run_by_itself(take):
    by = cluster(memory=64.0)
    trigger()
    one = claim(by)[0]
    start(one)
    trigger(machine=BIG)
    ordinary = trigger()
    turn = store.current().turn([Done(*one.lease, None, 1, 2)], take, 16, 1)
    assert [work.run_id for work in turn.works] == [ordinary.pk]
    work = turn.works[0]
    assert finish(attempts.complete(work.run_id, work.token, "1"), take).next is None


def test_a_heavy_child_gets_no_slot_of_its_parent():
    by = cluster(memory=2.0)
    trigger()
    one = claim(by)[0]
    start(one)
    options = TriggerOptions(parent_id=one.run_id, awaited=True, machine=BIG)
    item = TriggerItem(task_id="send", options=options)
    unborn = triggering.prepare([item], source=Source.SDK)
    pause = Pause(reason="", targets=tuple(unborn.ids), entries=(), unborn=unborn)
    assert store.current().suspend(*one.lease, pause, Next.SAME, 1).next is None
    assert claim(by) == []
    assert Run.objects.get(parent_id=one.run_id).status == "QUEUED"


# -- processes that many runs share ---------------------------------------------------------------


def test_the_process_that_runs_share_counts_as_one():
    factories.task("nap", is_async=True)
    by = cluster(memory=4.5)
    trigger(machine=BIG)
    (heavy,) = claim(by, 1)
    for _ in range(3):
        trigger("nap")
    assert len(store.current().claim_started(by.pk, 2, 7)) == 2
    assert len(store.current().claim_started(by.pk, 2, 7)) == 1
    assert claim(by) == []
    complete(heavy)


def test_the_process_that_runs_share_takes_none_without_room():
    factories.task("nap", is_async=True)
    by = cluster(memory=4.0)
    trigger(machine=BIG)
    heavy = claim(by)[0]
    trigger("nap")
    assert store.current().claim_started(by.pk, 2, 7) == []
    complete(heavy)
    assert len(store.current().claim_started(by.pk, 2, 7)) == 1


# -- nobody is passed over for ever ---------------------------------------------------------------


def test_a_heavy_run_that_was_passed_over_gets_the_next_room():
    by = cluster(memory=4.0)
    for _ in range(2):
        trigger()
    first, second = claim(by, 2)
    trigger(machine=BIG)
    for _ in range(3):
        trigger()
    third = claim(by, 1)[0]
    assert (machines([third]), pressure(by).waits) == (["small-1x"], Waits.WORKER)
    held_since(by, 6)
    assert pressure(by).waits == Waits.ROOM
    assert claim(by, 4) == []
    for one in (first, second):
        complete(one)
        assert claim(by, 4) == []
    complete(third)
    (heavy,) = claim(by, 4)
    assert (heavy.run.machine, pressure(by)) == (BIG, Pressure(True, Waits.NOTHING))
    complete(heavy)
    assert len(claim(by, 4)) == 2


def test_the_process_that_runs_share_holds_back_too():
    factories.task("nap", is_async=True)
    by = cluster(memory=4.0)
    trigger("nap")
    trigger("nap")
    (work,) = store.current().claim_started(by.pk, 1, 7)
    trigger(machine=BIG)
    assert machines(claim(by, 1)) == ["small-1x"]
    held_since(by, 6)
    trigger("nap")
    assert store.current().claim_started(by.pk, 5, 7) == []
    assert work


def test_nobody_holds_back_for_a_run_whose_turn_has_not_come():
    by = cluster(memory=4.0)
    trigger()
    one = claim(by)[0]
    ordinary = trigger()
    trigger(machine=BIG)
    trigger()
    assert pressure(by).waits == Waits.NOTHING
    assert [found.run_id for found in claim(by)] == [ordinary.pk]
    assert pressure(by).waits == Waits.WORKER
    complete(one)


@pytest.mark.parametrize("block", ["pause", "limit"])
def test_nobody_holds_back_for_a_run_its_queue_keeps(block):
    queue("mail", limit=1)
    by, other = cluster(memory=4.0), session()
    if block == "pause":
        lifecycle.pause("mail", actor="user:ada", reason="")
    else:
        trigger(queue="mail")
        claim(other)
    trigger(queue="mail", machine=BIG)
    trigger()
    one = claim(by)[0]
    held_since(by, 6)
    trigger()
    assert pressure(by).waits == Waits.NOTHING
    assert len(claim(by)) == 1
    assert WorkerSession.objects.get(pk=by.pk).held_since is None
    complete(one)


# -- exact ----------------------------------------------------------------------------------------


class Audit:
    """Looks after every step what the processes of a session ask for together."""

    def __init__(self, by):
        self.by, self.worst = by, (0.0, 0.0)

    def look(self):
        leases = list(Lease.objects.filter(session_id=self.by.pk).values_list("pid", "run_id"))
        names = dict(Run.objects.values_list("pk", "machine"))
        asked = {}
        for pid, run_id in leases:
            asked.setdefault(pid or run_id, []).append(PRESETS[names[run_id]])
        cpu = sum(max(one.cpu for one in held) for held in asked.values())
        memory = sum(max(one.memory for one in held) for held in asked.values())
        self.worst = max(self.worst[0], cpu), max(self.worst[1], memory)


def work(audit, own, pids, dice):
    """Claim for several processes, start and finish until nothing is left; looks between the steps."""
    idle = 0
    while idle < 8:
        claims = own.claim(audit.by.pk, len(pids))
        audit.look()
        idle = 0 if claims else idle + 1
        works = [own.start(*one[:2], pid) for one, pid in zip(claims, pids, strict=False)]
        while works:
            audit.look()
            ended = works.pop(0)
            ending = attempts.complete(ended.run_id, ended.token, "1")
            pid = Lease.objects.get(pk=ended.run_id).pid
            followed = own.finish(ending, dice.choice(list(Next)[:3]), pid).next
            works += [followed] if followed else []


@pytest.mark.django_db(transaction=True)
def test_a_cluster_never_executes_more_than_it_has():
    dice = random.Random(20)
    by = cluster(4.0, 6.0)
    for number in range(24):
        name = dice.choice(["micro", "small-1x", "small-2x", MIDDLE, BIG])
        trigger(machine=name, concurrency_key=str(number % 3))
    audit = Audit(by)

    def worker(pids):
        own = store.dedicated()
        try:
            work(audit, own, pids, random.Random(pids[0]))
        finally:
            own.close()

    together([lambda first=first: worker(range(first, first + 3)) for first in (1, 11, 21)])
    assert not Ready.objects.exists()
    assert audit.worst[0] <= 4.0
    assert 4.0 <= audit.worst[1] <= 6.0

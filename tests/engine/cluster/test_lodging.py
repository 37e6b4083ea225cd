"""Bodies that stay on a free slot while their runs wait."""

import signal
from collections import deque

import pytest
from django.utils import timezone

from engine import task, tasks, wait
from engine.cluster import lodging, staying, worker
from engine.cluster.board import Board, State
from engine.cluster.channels import TaskQueue
from engine.cluster.packages import package
from engine.sdk import replay
from runs import conf, ids, lifecycle
from runs.lifecycle import definitions, store
from runs.models import Lease, Ready, Run
from runs.states import RunStatus
from tests.support import factories

pytestmark = pytest.mark.django_db

CLAIMS = 50


class World(TaskQueue):
    """An inbox: each time somebody looks into it something happens, and what is claimable is sent."""

    def __init__(self, here, by):
        super().__init__()
        self.here, self.by, self.events = here, by, deque()
        #: The state of the slot, each time the worker looked.
        self.seen = []

    def peek(self, seconds):
        self.seen.append((State(self.here.slot.state), self.here.slot.lodger.decode()))
        while self.empty() and not self.dispatched() and self.events:
            self.events.popleft()()
        return super().peek(0)

    def dispatched(self):
        found = factories.claim(self.by)
        if found:
            self.here.board.assign(0, (*found[0].lease, found[0].attempt))
            self.put(package(0, *found[0].lease, worker.execute))
        return bool(found)


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setattr(replay, "is_in_transaction", lambda: False)
    monkeypatch.setattr(ids, "_last", 0)
    monkeypatch.setattr(staying, "has_children", lambda: False)
    monkeypatch.setattr(staying, "resident", lambda pid: 0)
    signal.setitimer(signal.ITIMER_REAL, 0)  # the test's own time limit
    definitions.forget()
    for name in ("parent", "child", "other"):
        factories.task(name)


@pytest.fixture
def world(here, monkeypatch):
    monkeypatch.setitem(conf._known, "STAY_SECONDS", 0.2)
    here.slot.version = here.board.head.version = b"v1"
    monkeypatch.setattr(here.hot, "version", "v1")
    by = factories.session(version="v1")
    here.board.session_id = by.pk
    (before,) = here.inboxes
    made = World(here, by)
    here.inboxes = [made]
    yield made
    here.inboxes = [before]
    made.reader.close()
    made.writer.close()


@pytest.fixture
def work(world, here):
    """Executes a run of the parent, and everything that becomes claimable, as django-q2's loop does."""

    def off(*events, payload="null", **options):
        here.clean = worker.Snapshot()
        world.events.extend(events)
        run = factories.trigger("parent", payload, **options)
        here.become_free()
        while world.dispatched() or not world.empty():
            if (word := world.get()) == "STOP" or not word["is_run"]:
                world.left = word
                break
            worker.execute(*word["args"])
        return Run.objects.get(pk=run.pk)

    return off


@pytest.fixture
def token():
    return wait.create_token()


def entered(body):
    """A list of the times the body was entered, and left."""
    seen = []

    def parent(payload):
        seen.append("in")
        try:
            return body(payload)
        finally:
            seen.append("out")

    task(id="parent")(parent)
    return seen


def completing(token, data=1):
    return lambda: wait.complete_token(token, data)


def test_a_body_waits_for_tokens_where_it_is(work, world, here):
    tokens = [wait.create_token() for _ in range(3)]
    seen = entered(lambda payload: [wait.for_token(token).unwrap() for token in tokens])
    run = work(*map(completing, tokens))
    assert (run.status, run.output) == (RunStatus.COMPLETED, "[1,1,1]")
    assert seen == ["in", "out"]
    assert set(world.seen) == {(State.FREE, run.pk)}
    assert (here.slot.state, here.slot.lodger) == (State.FREE, b"")
    kinds = factories.history(run.pk)
    assert kinds.count("waiting") == kinds.count("resumed") == 3


def test_the_first_of_several_ends_the_wait(work):
    slow, fast = wait.create_token(), wait.create_token()

    def body(payload):
        found = wait.any([slow, fast])
        return [found.index, found.result.output]

    seen = entered(body)
    assert work(completing(fast, "yes")).output == '[1,"yes"]'
    assert seen == ["in", "out"]


def test_what_a_body_waits_for_is_executed_above_it(work):
    task(id="child")(lambda payload: payload * 2)

    def body(payload):
        both = [{"task": "child", "payload": number} for number in (1, 2)]
        return [tasks.batch_trigger_and_wait(both).unwrap() for _ in range(3)]

    seen = entered(body)
    assert work().output == "[[2,4],[2,4],[2,4]]"
    assert seen == ["in", "out"]


def test_a_time_is_waited_for_in_the_body(work, monkeypatch):
    monkeypatch.setitem(conf._known, "STAY_SECONDS", 60.0)

    def body(payload):
        wait(50)
        return "later"

    def is_due():
        Ready.objects.update(not_before=timezone.now())
        assert lifecycle.promote_due()

    seen = entered(body)
    assert work(is_due).output == '"later"'
    assert seen == ["in", "out"]


def test_a_body_is_left_for_any_other_run(work, token, here):
    order = []
    task(id="other")(lambda payload: order.append(list(seen)))
    seen = entered(lambda payload: wait.for_token(token).unwrap())
    run = work(lambda: factories.trigger("other"), completing(token))
    assert run.status == RunStatus.WAITING
    assert order == [["in", "out"]]
    assert Run.objects.get(task_id="other").status == RunStatus.COMPLETED
    wait.complete_token(token, 7)
    work()
    run.refresh_from_db()
    assert (run.output, run.attempts_begun) == ("7", 1)


def test_a_body_is_left_for_the_word_to_end(work, world, token):
    seen = entered(lambda payload: wait.for_token(token).unwrap())
    run = work(lambda: world.put("STOP"))
    assert run.status == RunStatus.WAITING
    assert seen == ["in", "out"]


def test_all_bodies_are_left_for_final_hooks(work, world, here, token):
    """The slot stays promised to them, and the word in the inbox."""
    task(id="child")(lambda payload: wait.for_token(token).unwrap())
    seen = entered(lambda payload: tasks.trigger_and_wait("child", None).unwrap())

    def owed():
        here.board.assign(0, ("run_x", "token", 1))
        world.put(package(0, "run_x", "token", is_run=False))

    assert work(owed).status == RunStatus.WAITING
    assert seen == ["in", "out"]
    assert not world.left["is_run"]
    assert (here.slot.state, here.slot.lease) == (State.ASSIGNED, ("run_x", "token"))


def test_a_body_is_left_when_nothing_comes(work, world, token, here):
    seen = entered(lambda payload: wait.for_token(token).unwrap())
    run = work()
    assert run.status == RunStatus.WAITING
    assert seen == ["in", "out"]
    assert (here.slot.state, here.slot.lodger) == (State.FREE, b"")
    wait.complete_token(token, 7)
    work()
    run.refresh_from_db()
    assert run.output == "7"


def test_a_body_is_left_when_its_run_is_canceled(work, token):
    seen = entered(lambda payload: wait.for_token(token).unwrap())

    def cancel():
        lifecycle.cancel(Run.objects.get(task_id="parent").pk, actor="test")

    assert work(cancel).status == RunStatus.CANCELED
    assert seen == ["in", "out"]


def test_a_body_is_left_when_somebody_else_executes_its_run(work, token, world):
    elsewhere = factories.session(version="v1")

    def take():
        wait.complete_token(token, 1)
        (found,) = factories.claim(elsewhere)
        factories.start(found, pid=77, version="v1")

    def body(payload):
        wait.for_token(token)
        raise AssertionError("It has no lease.")

    seen = entered(body)
    run = work(take)
    assert (run.status, seen) == (RunStatus.EXECUTING, ["in", "out"])
    assert Lease.objects.get(pk=run.pk).session_id == elsewhere.pk


def test_a_body_whose_run_went_on_elsewhere_begins_again(work, token, world):
    """It comes back from a later wait than the one in which the body stayed here."""
    elsewhere, last = factories.session(version="v1"), wait.create_token()

    def take():
        wait.complete_token(token, 1)
        (found,) = factories.claim(elsewhere)
        factories.start(found, pid=77, version="v1")
        pause = staying.Pause(reason="", targets=(last.id,))
        factories.opened("v1").suspend(*found.lease, pause)
        wait.complete_token(last, 2)

    def body(payload):
        return [wait.for_token(token).unwrap(), wait.for_token(last).unwrap()]

    seen = entered(body)
    assert work(take).output == "[1,2]"
    assert seen == ["in", "out"] * 2


def test_runs_whose_body_is_with_another_worker_go_there(here, monkeypatch, world):
    board, there = Board(2), TaskQueue()
    monkeypatch.setattr(here, "board", board)
    here.inboxes = [world, there]
    run = factories.dequeued_run()
    work = store.current().start(*run.lease, pid=1)
    assert not lodging.handed_over(here, work._replace(resumed=True))
    board.slots[1].state, board.slots[1].lodger, board.slots[1].pid = (
        State.FREE,
        run.run_id.encode(),
        99,
    )
    assert not lodging.handed_over(here, work)
    assert lodging.handed_over(here, work._replace(resumed=True))
    assert board.slots[1].lease == run.lease
    assert board.slots[1].is_begun
    assert there.get()["args"] == run.lease
    assert Lease.objects.get(pk=run.run_id).pid == 99
    assert not lodging.handed_over(here, work._replace(resumed=True))  # it is busy now
    assert Lease.objects.get(pk=run.run_id).pid == here.slot.pid
    there.reader.close()
    there.writer.close()


def test_the_dispatcher_spares_bodies_where_it_can():
    board = Board(3, version="v")
    for index, lodger in enumerate((b"run_1", b"", b"run_2")):
        slot = board.slots[index]
        slot.version, slot.lodger, slot.state = b"v", lodger, State.FREE
    free = board.free()
    assert free == [1, 0, 2]
    claims = [store.Claim(name, "token", 1) for name in ("run_2", "other", "run_3")]
    matched = board.matched(free, claims)
    assert [(slot, claim.run_id) for slot, claim in matched] == [
        (2, "run_2"),
        (1, "other"),
        (0, "run_3"),
    ]
    assert board.assign(1, claims[1])
    assert not board.assign(1, claims[0])
    assert board.slots[1].run_id == "other"

"""Bodies that stay in their process while a child executes there, on the stack above them."""

import contextlib
import logging
import os
import signal
import sys

import pytest

from engine import current, metadata, task, wait
from engine.cluster import staying, tidying, worker
from engine.cluster.board import State
from engine.execution import interrupts
from engine.sdk import notes, replay
from runs import ids, lifecycle
from runs.lifecycle import definitions
from runs.models import Run
from runs.states import RunStatus
from tests.support import factories

pytestmark = pytest.mark.django_db

CLAIMS = 50


@pytest.fixture(autouse=True)
def _alone(monkeypatch, here):
    """The transaction and the children of the test process are not the body's, nor is its size."""
    monkeypatch.setattr(replay, "is_in_transaction", lambda: False)
    monkeypatch.setattr(ids, "_last", 0)
    monkeypatch.setattr(staying, "has_children", lambda: False)
    monkeypatch.setattr(staying, "resident", lambda pid: 0)
    signal.setitimer(signal.ITIMER_REAL, 0)  # the test's own time limit
    definitions.forget()
    for name in ("parent", "child", "other"):
        factories.task(name)
    here.slot.version = here.board.head.version = b"v1"
    monkeypatch.setattr(here.hot, "version", "v1")


@pytest.fixture
def work(here):
    """Executes a run of the task, and everything that becomes claimable, by one worker."""
    by = factories.session(version="v1")
    here.board.session_id = by.pk

    def off(task_id="parent", payload="null", **options):
        here.clean = worker.Snapshot()
        run = factories.trigger(task_id, payload, **options)
        for _ in range(CLAIMS):
            found = factories.claim(by)
            if not found:
                break
            here.slot.assign(*found[0].lease, found[0].attempt, State.ASSIGNED)
            worker.execute(*found[0].lease)
        return Run.objects.get(pk=run.pk)

    return off


@pytest.fixture
def child():
    """Doubles a number."""
    return task(id="child")(lambda payload: payload * 2)


def entered(body):
    """The body, and the list of the times it was entered."""
    seen = []

    def parent(payload):
        seen.append(payload)
        return body(payload)

    task(id="parent")(parent)
    return seen


def test_what_a_body_did_before_its_waits_is_not_done_again(work, child):
    seen = entered(lambda payload: [child.trigger_and_wait(n).unwrap() for n in range(5)])
    run = work()
    assert (run.status, run.output) == (RunStatus.COMPLETED, "[0,2,4,6,8]")
    assert len(seen) == 1
    kinds = factories.history(run.pk)
    assert kinds.count("waiting") == kinds.count("resumed") == 5


def test_a_block_is_not_left_while_its_body_stays(work, child):
    order = []

    @contextlib.contextmanager
    def block():
        order.append("in")
        yield
        order.append("out")

    def body(payload):
        with block():
            child.trigger_and_wait(1)
            order.append("child")

    entered(body)
    work()
    assert order == ["in", "child", "out"]


def test_deep_chains_need_no_second_entry_up_to_a_depth(work):
    seen = []

    @task(id="parent")
    def nested(payload):
        seen.append(payload)
        return 0 if payload == 0 else nested.trigger_and_wait(payload - 1).unwrap() + 1

    assert work(payload="4").output == "4"
    assert sorted(seen) == [0, 1, 2, 3, 4]
    seen.clear()
    assert work(payload="9").output == "9"
    assert len(seen) > 10


@pytest.mark.parametrize(
    "change",
    [
        lambda: os.environ.update(STAYING="1"),
        lambda: os.umask(0),
        lambda: signal.signal(signal.SIGALRM, lambda *_: None),
        lambda: signal.setitimer(signal.ITIMER_REAL, 60),
        lambda: logging.disable(logging.INFO),
        lambda: logging.getLogger().addHandler(logging.NullHandler()),
        lambda: setattr(sys, "stdout", sys.stderr),
    ],
    ids=["environment", "umask", "signal", "timer", "logging", "handler", "console"],
)
def test_a_body_that_changed_its_process_is_left(work, child, change):
    def body(payload):
        change()
        return child.trigger_and_wait(1).unwrap()

    seen = entered(body)
    assert work().output == "2"
    assert len(seen) == 2


@pytest.mark.parametrize("kind", ["middleware", "on_wait", "on_resume", "cleanup"])
def test_a_body_with_hooks_around_its_waits_is_left(work, child, kind):
    seen = []

    @task(id="parent")
    def parent(payload):
        seen.append(payload)
        return child.trigger_and_wait(1).unwrap()

    called = []

    @getattr(parent, kind)
    def hook(**values):
        called.append(kind)
        if kind == "middleware":
            values["next"]()

    assert work().output == "2"
    assert len(seen) == 2
    assert called


def test_a_body_is_left_when_its_child_waits_for_something_else(work):
    ended = []

    @task(id="child")
    def child(payload):
        return wait.for_token(payload).unwrap()

    def body(payload):
        try:
            return child.trigger_and_wait(payload).unwrap()
        finally:
            ended.append(payload)

    seen = entered(body)
    token = wait.create_token()
    run = work(payload=f'"{token.id}"')
    assert run.status == RunStatus.WAITING
    assert len(seen) == len(ended) == 1
    wait.complete_token(token, "now")
    again = work("other-task-nobody-has")
    assert again.status == RunStatus.PENDING_VERSION
    run.refresh_from_db()
    assert (run.status, run.output) == (RunStatus.COMPLETED, '"now"')
    assert len(seen) == 2


def test_how_a_body_ends_after_its_run_has_left_is_nobodys(work):
    child = task(id="child")(lambda payload: wait.for_token(payload).ok)

    def body(payload):
        try:
            return child.trigger_and_wait(payload)
        finally:
            raise ValueError("too late")

    entered(body)
    token = wait.create_token()
    run = work(payload=f'"{token.id}"')
    assert (run.status, run.attempts_begun) == (RunStatus.WAITING, 1)


def test_the_body_sees_what_its_child_noted_on_the_run(work):
    """Through the test's own connection, which alone sees its runs."""

    @task(id="child")
    def child(payload):
        metadata.parent.set("child", "was here")
        metadata.flush()

    def body(payload):
        metadata.set("mine", 1)
        child.trigger_and_wait(None)
        return [metadata.current(), dict(current().run.metadata)]

    seen = entered(body)
    both = '{"mine":1,"child":"was here"}'
    with notes.on_this_connection():
        assert work().output == f"[{both},{both}]"
    assert len(seen) == 1


def test_each_run_has_its_own_context_and_its_own_lines(work, here, monkeypatch):
    found = {}
    lines = []
    monkeypatch.setattr(
        here.lines, "write", lambda level, logger, text, at: lines.append((here.lines.run_id, text))
    )

    @task(id="child")
    def child(payload):
        found["child"] = current().run.id
        print("child")

    def body(payload):
        print("before")
        child.trigger_and_wait(None)
        found["parent"] = current().run.id
        logging.getLogger("parent").warning("logged")
        print("after")

    entered(body)
    run = work()
    kid = Run.objects.get(parent_id=run.pk)
    assert found == {"child": kid.pk, "parent": run.pk}
    mine = [text for run_id, text in lines if run_id == run.pk]
    assert mine == ["before", "logged", "after"]
    assert [text for run_id, text in lines if run_id == kid.pk] == ["child"]


def test_the_time_that_is_left_counts_from_where_the_body_goes_on(work, here):
    deadlines = []
    child = task(id="child")(lambda payload: deadlines.append(here.slot.deadline))

    def body(payload):
        deadlines.append(here.slot.deadline)
        child.trigger_and_wait(None)
        deadlines.append(here.slot.deadline)

    entered(body)
    work(max_duration=60)
    before, during, after = deadlines
    assert not during
    assert after > before


def test_a_run_that_was_canceled_meanwhile_is_left(work):
    @task(id="child")
    def child(payload):
        lifecycle.cancel(current().run.parent_task_run_id, actor="test")

    ended = []

    def body(payload):
        try:
            child.trigger_and_wait(None)
            ended.append("well")
        finally:
            ended.append("left")

    entered(body)
    assert work().status == RunStatus.CANCELED
    assert ended == ["left"]


def test_a_body_whose_connections_were_closed_begins_again(work, child, monkeypatch):
    states = iter([{"default": 1}, {"default": 2}])
    monkeypatch.setattr(staying, "connected", lambda: next(states))
    seen = entered(lambda payload: child.trigger_and_wait(1).unwrap())
    assert work().output == "2"
    assert len(seen) == 2


def test_open_connections_outlive_the_children_of_who_uses_them(here, monkeypatch):
    class Connection:
        in_atomic_block = needs_rollback = False
        closed = 0

        def close_if_unusable_or_obsolete(self):
            self.closed += 1

    one = Connection()
    monkeypatch.setattr(tidying, "connections", type("All", (), {"all": lambda *_, **__: [one]})())
    here.lodgers = 1
    tidying.tidy(here)
    assert not one.closed
    here.lodgers = 0
    tidying.tidy(here)
    assert one.closed


def test_a_body_that_holds_much_memory_is_left(work, child, monkeypatch):
    monkeypatch.setattr(staying, "resident", lambda pid: 400 * 1024**2)
    seen = entered(lambda payload: child.trigger_and_wait(1).unwrap())
    assert work().output == "2"
    assert len(seen) == 2


def test_a_body_may_call_as_deep_above_another_as_alone(work):
    def dig(left):
        return 0 if left == 0 else dig(left - 1) + 1

    deep = sys.getrecursionlimit() - 250
    child = task(id="child")(lambda payload: dig(deep))

    def at(depth):
        return child.trigger_and_wait(None).unwrap() if depth == 0 else at(depth - 1)

    seen = entered(lambda payload: at(300))
    assert work().output == str(deep)
    assert len(seen) == 1
    assert sys.getrecursionlimit() == deep + 250


def test_a_stop_meant_for_the_child_is_not_the_parents(work):
    @task(id="child")
    def child(payload):
        assert interrupts._active is not None
        return interrupts._active._ctx.run.id

    def body(payload):
        kid = child.trigger_and_wait(None)
        return [kid.unwrap() == kid.id, interrupts._active._ctx.run.id == current().run.id]

    entered(body)
    assert work().output == "[true,true]"

"""Final hooks in a worker that did not execute the run; no cluster around it."""

import json

import pytest
from django_q.signing import SignedPackage

from engine import TaskRunCanceled, TaskRunEnded, catalog, hooks, task
from engine.cluster import conclusions, worker
from engine.cluster.board import Ask, State
from engine.cluster.bookkeeper import Death
from engine.cluster.dispatcher import DispatchBroker
from engine.discovery import Catalog
from engine.registry import registry
from runs import lifecycle
from runs.lifecycle import attempts, finalhooks, sessions
from runs.lifecycle.store import Pressure, Waits
from runs.models import Event, FinalHooks, Run, Task
from runs.states import RunStatus
from tests.engine.cluster.conftest import Left
from tests.engine.cluster.test_bookkeeper import books  # noqa: F401  a fixture
from tests.support.factories import executing_run, finish, session, trigger

pytestmark = pytest.mark.django_db
ERROR = attempts.internal_error("TASK_PROCESS_OOM_KILLED", "It used too much memory.")


@pytest.fixture
def seen():
    """What the hooks of the task “send” were called with."""
    told = []

    @task(id="send")
    def send(payload):
        raise AssertionError("the body must not run")

    send.on_failure(lambda error: told.append(("on_failure", error)))
    send.on_cancel(lambda run: told.append(("on_cancel", run.error)))
    send.on_complete(lambda result: told.append(("on_complete", result.error)))
    catalog.register(Catalog(tuple(registry), (), "1"))
    return told


def crashed_run():
    one = executing_run()
    finish(attempts.fail(*one.lease, ERROR, RunStatus.CRASHED))
    return one.run


def carry_out(place):
    """Take what is due, as the dispatcher does, and call it."""
    (claim,) = finalhooks.take(1)
    place.slot.assign(*claim, State.ASSIGNED)
    conclusions.conclude(claim.run_id, claim.token)
    return claim


def test_the_registered_task_knows_whether_it_has_any(seen):
    row = Task.objects.get(pk="send")
    assert (row.failure_hooks, row.cancel_hooks) == (True, True)
    task(id="plain")(lambda: None)
    catalog.register(Catalog(tuple(registry), (), "1"))
    row = Task.objects.get(pk="plain")
    assert (row.failure_hooks, row.cancel_hooks) == (False, False)
    hooks.on_cancel(lambda: None)
    catalog.register(Catalog(tuple(registry), (), "1"))
    row = Task.objects.get(pk="plain")
    assert (row.failure_hooks, row.cancel_hooks) == (False, True)


def test_they_learn_how_the_run_ended(here, seen):
    run = crashed_run()
    carry_out(here)
    (failure, error), (complete, same) = seen
    assert (failure, complete, same) == ("on_failure", "on_complete", error)
    assert isinstance(error, TaskRunEnded)
    assert (error.status, error.code) == ("CRASHED", "TASK_PROCESS_OOM_KILLED")
    assert str(error) == "It used too much memory."
    event = Event.objects.filter(run_id=run.pk).last()
    assert json.loads(event.data) == {"hooks": ["on_failure", "on_complete"]}
    run.refresh_from_db()
    assert (run.status, run.error, FinalHooks.objects.count()) == ("CRASHED", ERROR, 0)
    assert here.slot.state == State.FREE


def test_those_of_a_canceled_run_learn_the_reason(here, seen):
    lifecycle.cancel(trigger().pk, actor="user:ada", reason="Not needed.")
    carry_out(here)
    (cancel, error), (complete, result) = seen
    assert (cancel, str(error), complete) == ("on_cancel", "Not needed.", "on_complete")
    assert isinstance(result, TaskRunCanceled)


def test_an_error_in_one_is_told_and_changes_nothing(here, seen):
    hooks.on_failure(lambda: 1 / 0)
    run = crashed_run()
    carry_out(here)
    assert [kind for kind, _ in seen] == ["on_failure", "on_complete"]
    assert "ZeroDivisionError" in Event.objects.filter(run_id=run.pk).last().reason
    run.refresh_from_db()
    assert run.status == RunStatus.CRASHED


def test_a_cluster_that_stops_leaves_them_to_others(here, seen):
    def stopped(ctx):
        here.slot.ask_to_stop(Ask.SHUTDOWN, here.slot.token)
        ctx._signal.abort("shutdown")
        ctx.signal.raise_if_aborted()

    hooks.on_failure(stopped)
    crashed_run()
    carry_out(here)
    assert (seen, FinalHooks.objects.get().tries) == ([], 0)


def test_a_task_this_version_lacks_waits(here, seen):
    crashed_run()
    registry.clear()
    carry_out(here)
    assert FinalHooks.objects.count() == 1
    assert finalhooks.take(1) == []


def test_a_mistake_of_ours_ends_the_process_and_leaves_them(here, seen, monkeypatch):
    run = crashed_run()
    monkeypatch.setattr(conclusions, "called", lambda *_: 1 / 0)
    with pytest.raises(Left, match=str(worker.BROKEN)):
        carry_out(here)
    assert (FinalHooks.objects.get().pk, here.slot.state) == (run.pk, State.GONE)


@pytest.mark.parametrize(("why", "tries"), [(Ask.NOTHING, 1), (Ask.SHUTDOWN, 0)])
def test_a_process_that_dies_of_them_is_told(books, seen, why, tries):  # noqa: F811
    run = crashed_run()
    (claim,) = finalhooks.take(1)
    died = {"started": True, "killed": why, "exitcode": -9}
    books.record(Death(run_id=claim.run_id, token=claim.token, **died))
    row = FinalHooks.objects.get()
    assert (row.pk, row.tries, row.token) == (run.pk, tries, "")


def test_a_canceled_run_is_not_asked_to_stop_again(books, seen, monkeypatch):  # noqa: F811
    one = executing_run()
    lifecycle.cancel(one.run_id, actor="user:ada")
    finish(attempts.acknowledge_cancel(*one.lease))
    (claim,) = finalhooks.take(1)
    slot = books.board.slots[0]
    slot.assign(*claim, State.RUNNING)
    monkeypatch.setattr("os.kill", lambda *_: pytest.fail("asked its hooks to stop"))
    books.look_for_cancels()
    assert not slot.is_asked


@pytest.fixture
def broker(books):  # noqa: F811
    """A dispatcher that never sleeps."""
    made = DispatchBroker(books.board, None)
    made.connect = lambda: None
    made.wait = lambda seconds: None
    made.claim = lambda slots: []
    calm = Pressure(False, Waits.NOTHING)
    idle = {"claimable": lambda self: False, "pressure": lambda self, session_id: calm}
    made.store = type("Idle", (), idle)()
    made.execute, made.conclude = worker.execute, conclusions.conclude
    return made


def test_the_dispatcher_hands_them_to_a_free_worker(broker, seen):
    run = crashed_run()
    broker.board.slots[2].state = State.FREE
    broker.board.slots[2].version = broker.board.head.version
    assert broker.look() == []  # it learns that something is owed when there is nothing else to do
    assert broker.board.head.owed
    ((_, package),) = broker.look()
    assert broker.board.slots[2].run_id == run.pk
    assert SignedPackage.loads(package)["func"] is conclusions.conclude
    assert broker.look() == []
    assert not broker.board.head.owed


def test_it_leaves_those_of_another_living_version_alone(broker, seen):
    Run.objects.filter(pk=crashed_run().pk).update(version="its own")
    broker.board.head.version = b"newer"
    broker.board.slots[2].state = State.FREE
    broker.board.slots[2].version = broker.board.head.version
    its_own = session(version="its own")
    for _ in range(2):
        broker.board.head.owed = 1
        assert broker.look() == []
    assert not broker.board.head.owed, "it does not spin"
    sessions.close(its_own.pk)
    broker.look()
    assert len(broker.look()) == 1


def test_a_busy_cluster_does_not_spin_while_hooks_are_owed(broker, seen):
    crashed_run()
    assert broker.pause(has_free=False) > 0.1
    assert broker.board.head.owed


def test_a_worker_makes_room_for_them(here):
    budget = worker.Budget()
    budget.runs = 10_000
    assert budget.take(here) == worker.store.Next.ANY
    here.board.head.owed = 1
    budget.runs = 10_000
    assert budget.take(here) == worker.store.Next.NONE

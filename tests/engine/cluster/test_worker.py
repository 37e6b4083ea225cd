"""The worker's own steps, in this process: no cluster around it."""

import json

import pytest
from django.db import connections

from engine import retry, task
from engine.cluster import endings, tidying, together, worker
from engine.cluster.board import Ask, State, Stop
from engine.execution.assignment import Assignment
from engine.execution.failures import describe
from engine.execution.outcomes import Failed
from runs.lifecycle import attempts, store
from runs.models import Attempt, Event, Lease, Run
from runs.states import RunStatus
from tests.engine.cluster.conftest import Left
from tests.support.factories import (
    claim,
    dequeued_run,
    executing_run,
    finish,
    queued_run,
    session,
    start,
)
from tests.support.factories import task as registered

pytestmark = pytest.mark.django_db


def test_the_assignments_have_the_same_fields():
    assert (*Assignment._fields, "begun", "retaken") == store.Assignment._fields


def test_a_run_is_worked_off(here, one):
    task(id="send")(lambda payload: payload)
    worker.execute(*one.lease)
    assert one.run.status == RunStatus.COMPLETED
    assert here.slot.state == State.FREE


def starts(here, monkeypatch):
    """The runs whose starts are recorded on their own from now on."""
    found = []
    start = here.hot.start
    monkeypatch.setattr(here.hot, "start", lambda *a: found.append(a[0]) or start(*a))
    return found


def test_a_start_is_recorded_with_its_end(here, one, monkeypatch):
    task(id="send")(lambda payload: payload)
    alone = starts(here, monkeypatch)
    worker.execute(*one.lease)
    assert not alone
    attempt = Attempt.objects.get()
    assert attempt.started_at == one.run.executed_at < attempt.finished_at
    recorded = Event.objects.filter(run_id=one.run_id).order_by("id")
    assert [event.kind for event in recorded][-2:] == ["started", "completed"]


def test_a_start_is_recorded_first_where_runs_are_not_taken_together(
    here, one, monkeypatch, settings
):
    settings.TRACKSIDE = {"TOGETHER_RUNS": 1}
    seen = []
    task(id="send")(lambda payload: seen.append(Run.objects.get().status))
    worker.execute(*one.lease)
    assert seen == [RunStatus.EXECUTING]


def test_a_start_is_recorded_first_when_the_run_was_lost_before(here, monkeypatch):
    by = session()
    finish(attempts.release(*dequeued_run(by).lease, "back"))
    (again,) = claim(by)
    here.slot.assign(*again.lease, again.attempt, State.ASSIGNED)
    seen = []
    task(id="send")(lambda payload: seen.append(Run.objects.get().status))
    worker.execute(*again.lease)
    assert seen == [RunStatus.EXECUTING]


def test_a_run_that_is_not_leased_any_more_is_not_entered(here, one):
    entered = []
    task(id="send")(lambda payload: entered.append(payload))
    Lease.objects.update(token="the reaper's")
    worker.execute(*one.lease)
    assert not entered
    assert here.slot.state == State.FREE


def test_short_runs_are_worked_off_together(here, one, monkeypatch):
    """One of them fails, one returns much: each is recorded whole."""

    @task(id="send", retry=retry(max_attempts=1))
    def send(payload):
        if payload == "fail":
            raise ValueError(payload)
        return payload

    turns = []
    turn = here.hot.turn
    monkeypatch.setattr(here.hot, "turn", lambda *a: turns.append(len(a[0])) or turn(*a))
    monkeypatch.setattr(together.Pace, "most", 16)
    monkeypatch.setattr(together, "OLD", 10 * together.STALE)
    large = "x" * 2000
    wanted = ["a", "b", "fail", "c", large, "d"]
    runs = [queued_run(payload=json.dumps(payload)) for payload in wanted]
    worker.execute(*one.lease)
    ends = list(Run.objects.filter(pk__in=[run.pk for run in runs]).order_by("id"))
    assert [run.status == RunStatus.COMPLETED for run in ends] == [p != "fail" for p in wanted]
    assert [run.output for run in ends if run.output] == [
        json.dumps(p) for p in wanted if p != "fail"
    ]
    assert list(Attempt.objects.order_by("run_id").values_list("number", flat=True)) == [1] * 7
    assert all(run.attempt_number == 1 and run.executed_at for run in ends)
    started = Event.objects.filter(kind="started").values_list("run_id", flat=True)
    assert sorted(started) == sorted([one.run_id, *(run.pk for run in runs)])
    assert not Lease.objects.exists()
    assert here.slot.state == State.FREE
    assert turns == [1, 2, 2, 1]


def test_a_worker_that_is_to_stop_hands_back_what_it_has_not_started(here, one, monkeypatch):
    def stop(payload):
        if payload == "stop":
            here.board.head.stop = Stop.DRAIN

    task(id="send")(stop)
    monkeypatch.setattr(together.Pace, "most", 16)
    runs = [queued_run(payload=json.dumps(payload)) for payload in ("a", "stop", "b", "c")]
    worker.execute(*one.lease)
    ends = [Run.objects.get(pk=run.pk).status for run in runs]
    assert ends == ["COMPLETED", "COMPLETED", "QUEUED", "QUEUED"]
    assert not Attempt.objects.filter(run_id__in=[run.pk for run in runs[2:]]).exists()


def test_a_mistake_of_ours_ends_the_run_and_the_process(here, one, monkeypatch, caplog):
    monkeypatch.setattr(worker, "attempt", lambda here, work, lodge: 1 / 0)
    with pytest.raises(Left, match=str(worker.BROKEN)):
        worker.execute(*one.lease)
    assert one.run.status == RunStatus.SYSTEM_FAILURE
    assert "ZeroDivisionError" in one.run.error
    assert here.slot.state == State.GONE
    assert "Traceback" in caplog.text


def test_a_mistake_that_cannot_be_written_leaves_the_slot_to_the_sentinel(here, one, monkeypatch):
    def refuse(*_):
        raise TypeError("no")

    monkeypatch.setattr(here.hot, "finish", refuse)
    monkeypatch.setattr(here.hot, "turn", refuse)
    task(id="send")(lambda payload: payload)
    with pytest.raises(Left, match=str(worker.BROKEN)):
        worker.execute(*one.lease)
    assert here.slot.is_busy
    assert Lease.objects.filter(pk=one.run_id, token=one.token).exists()


class Remembered:
    """A connection of a body."""

    alias = "body"
    in_atomic_block = needs_rollback = False
    closed = False

    def close(self):
        self.closed = True

    def close_if_unusable_or_obsolete(self):
        """It is neither."""


@pytest.fixture
def body_connection(here, monkeypatch):
    made = Remembered()
    connections["body"] = made
    monkeypatch.setattr(connections, "all", lambda *, initialized_only: [made])
    yield made
    if hasattr(connections._connections, "body"):
        del connections["body"]


def test_an_interrupted_body_loses_its_connections(here, one, body_connection):
    tidying.tidy(here)
    assert not body_connection.closed
    here.slot.ask_to_stop(Ask.CANCEL, here.slot.token)
    tidying.tidy(here)
    assert body_connection.closed
    assert not hasattr(connections._connections, "body")


def test_a_body_that_stays_in_a_transaction_loses_the_connection(here, body_connection):
    body_connection.in_atomic_block = True
    tidying.tidy(here)
    assert not hasattr(connections._connections, "body")


def test_out_of_memory_is_tried_again_on_the_larger_machine():
    by = session()
    one = dequeued_run(by)
    work = start(one)
    outcome = Failed(describe(MemoryError()), 0.0, RunStatus.CRASHED, "large-1x")
    finish(endings.ending_of(work, outcome))
    assert (one.run.status, one.run.machine) == (RunStatus.QUEUED, "large-1x")
    assert start(claim(by)[0]).machine == "large-1x"


def test_killed_for_memory_moves_up_once():
    registered(config='{"retry": {"out_of_memory_machine": "large-1x", "min_timeout": 0}}')
    by = session()
    one = executing_run(by, max_attempts=3)
    finish(attempts.crash(*one.lease, attempts.OUT_OF_MEMORY, "killed"))
    assert (one.run.status, one.run.machine) == (RunStatus.QUEUED, "large-1x")
    again = claim(by)[0]
    start(again)
    finish(attempts.crash(*again.lease, attempts.OUT_OF_MEMORY, "killed"))
    assert one.run.status == RunStatus.CRASHED


def test_a_process_with_much_memory_left_behind_takes_no_more(here, one, monkeypatch):
    here.resting = 100 * 1024**2
    sizes = iter([200 * 1024**2, 300 * 1024**2])
    monkeypatch.setattr(tidying, "resident", lambda pid: next(sizes))
    monkeypatch.setattr(tidying, "MEMORY_ROUND", 0.0)
    assert not tidying.is_used_up(here)
    task(id="send")(lambda payload: payload)
    with pytest.raises(Left, match="0"):
        worker.execute(*one.lease)
    assert one.run.status == RunStatus.COMPLETED


def test_the_memory_is_looked_at_now_and_then(here, monkeypatch):
    looks = []
    monkeypatch.setattr(tidying, "resident", lambda pid: looks.append(pid) or 0)
    for _ in range(10):
        tidying.is_used_up(here)
    assert len(looks) == 1

"""Runs a worker takes together: who may start them, and what happens to them when it can't."""

import os
import time

import pytest

from engine.cluster import bookkeeper, deaths, together
from engine.cluster.board import OUTPUT, TOGETHER, Board, State
from engine.cluster.together import LENGTH, LONG, STALE, Group, Pace, Relief
from runs.lifecycle import store
from runs.lifecycle.store import Done, Next
from runs.models import Attempt, Lease, Run
from runs.states import AttemptStatus
from tests.support.factories import executing_run, queued_run


@pytest.fixture
def board():
    return Board(2)


@pytest.fixture
def slot(board):
    return board.slots[0]


@pytest.fixture
def group(board, slot):
    return Group(slot, board.locks, 0)


def work(run_id, **facts):
    values = dict.fromkeys(store.Assignment._fields) | {"run_id": run_id, "token": f"t{run_id}"}
    return store.Assignment(**values | {"attempt": 1, "begun": False, "retaken": False} | facts)


def done(run_id, output='"ok"', ended=None):
    at = time.monotonic_ns() if ended is None else ended
    return Done(run_id, f"t{run_id}", output, at - 1000, at)


def lease(run_id):
    return run_id, f"t{run_id}"


def enter(group, slot):
    entered = group.next()
    slot.assign(entered.run_id, entered.token, 1, State.RUNNING)
    slot.entered = time.monotonic_ns()
    return entered


@pytest.fixture
def at_second(group, slot):
    """Three were taken: a is done and not recorded, b executes, c is ahead."""
    group.fill([work("a"), work("b"), work("c")], time.monotonic_ns())
    enter(group, slot)
    group.note(done("a"))
    enter(group, slot)
    return group


def test_they_are_started_one_after_the_other(group):
    group.fill([work("a"), work("b")], 0)
    assert [group.next().run_id, group.next().run_id, group.next()] == ["a", "b", None]


def test_the_board_knows_what_is_done_and_what_is_not_started(slot, at_second):
    assert [one.run_id for one in slot.done] == ["a"]
    assert slot.done == at_second.done
    assert slot.ahead == [lease("c")]
    assert slot.leases == {lease("a"), lease("b"), lease("c")}


def test_what_is_taken_away_is_not_started(board, slot, at_second):
    assert together.take_away(slot, board.locks, 0) == [lease("c")]
    assert at_second.next() is None
    assert together.take_away(slot, board.locks, 0) == []


def test_what_is_about_to_start_is_not_taken_away(board, slot, group):
    group.fill([work("a"), work("b")], 0)
    assert group.next().run_id == "a"  # not on the slot yet
    assert together.take_away(slot, board.locks, 0) == [lease("b")]
    assert slot.left == [lease("a")]  # but its process may end before it is


def test_a_large_output_is_recorded_at_once(slot, group):
    group.fill([work("a"), work("b")], time.monotonic_ns())
    group.next()
    group.note(done("a", "1" * OUTPUT))
    assert not group.is_due
    assert slot.done[0].output == "1" * OUTPUT
    group.note(done("a", "1" * (OUTPUT + 1)))
    assert group.is_due


def test_an_old_end_is_recorded_first(group):
    group.fill([work("a"), work("b")], 0)
    group.next()
    group.note(done("a", ended=time.monotonic_ns() - 2 * together.OLD))
    assert group.is_due


def test_nothing_is_started_long_after_it_was_taken(group):
    group.fill([work("a")], time.monotonic_ns())
    assert not group.is_stale
    group.fill([work("a")], time.monotonic_ns() - 2 * together.STALE)
    assert group.is_stale


@pytest.mark.django_db
def test_a_recorded_start_does_not_count_when_it_is_handed_back():
    """As on SQLite, where what is taken is started in the same write."""
    one = executing_run()
    together.release(store.current(), [one.lease], together.GIVEN_BACK)
    run = Run.objects.get(pk=one.run_id)
    assert (run.status, run.attempt_number, run.uncounted_attempts) == ("QUEUED", 1, 1)


def test_only_short_runs_are_taken_together():
    pace = Pace()
    assert pace.most == 1
    for _ in range(30):
        pace.note(LENGTH // 100)
    assert pace.most == TOGETHER
    pace.note(LENGTH)
    assert pace.most == 1


def test_together_can_be_switched_off(settings):
    settings.TRACKSIDE = {"TOGETHER_RUNS": 1}
    pace = Pace()
    pace.length = 1.0
    assert pace.most == 1


def test_nobody_is_watched_without_need(board, slot, group, at_second):
    relief = Relief(board)
    assert relief.is_needed()
    group.fill([work("a")], 0)
    group.next()
    slot.assign("a", "ta", 1, State.RUNNING, begun=True)
    slot.entered = time.monotonic_ns()
    assert not relief.is_needed()


def test_a_worker_that_was_given_a_run_is_watched(board, slot):
    assert not Relief(board).is_needed()
    slot.assign("a", "ta", 1, State.ASSIGNED)
    assert Relief(board).is_needed()


def test_a_killed_process_opens_its_lock(board):
    child = os.fork()
    if not child:
        with board.locks.held(1):
            os._exit(0)
    os.waitpid(child, 0)
    with board.locks.held(1):
        pass


@pytest.mark.django_db
class TestWithRuns:
    @pytest.fixture
    def taken(self, group, slot):
        """Three runs taken together: the first is done, the second executes for long already."""
        one = executing_run()
        for _ in range(3):
            queued_run()
        now = time.monotonic_ns()
        works = store.current().turn([Done(*one.lease, None, now, now)], Next.SAME, 3, 77).works
        slot.pid = 77
        group.fill(works, now)
        enter(group, slot)
        group.note(Done(works[0].run_id, works[0].token, "1", now, now))
        enter(group, slot)
        slot.entered = now - 2 * LONG
        return works

    def statuses(self, taken):
        found = dict(Run.objects.values_list("pk", "status"))
        return [found[work.run_id] for work in taken]

    def test_a_worker_with_a_long_body_is_relieved(self, board, slot, group, taken):
        relief = Relief(board)
        relief.give(store.current())
        assert self.statuses(taken) == ["COMPLETED", "EXECUTING", "QUEUED"]
        assert group.next() is None
        assert not relief.is_needed()
        started = Lease.objects.get().started_at
        assert Run.objects.get(pk=taken[1].run_id).executed_at == started

    def test_a_body_that_is_not_long_yet_is_left_alone(self, board, slot, taken):
        slot.entered = time.monotonic_ns()
        Relief(board).give(store.current())
        assert self.statuses(taken) == ["DEQUEUED"] * 3

    def test_a_worker_that_records_what_it_did_does_so_itself(self, board, slot, taken):
        slot.writing = time.monotonic_ns()
        Relief(board).give(store.current())
        assert self.statuses(taken) == ["DEQUEUED"] * 3
        slot.writing = time.monotonic_ns() - STALE  # whoever was to record it is stuck, or dead
        Relief(board).give(store.current())
        assert self.statuses(taken) == ["COMPLETED", "EXECUTING", "QUEUED"]

    def test_the_next_group_is_not_touched_by_a_late_relief(self, board, slot, group, taken):
        class Late:
            """A store that is so slow that the worker has gone on when it answers."""

            def turn(self, *args):
                group.fill([work("x"), work("y")], 0)
                group.next()
                return store.current().turn(*args)

            def start(self, *args):
                return store.current().start(*args)

            def at_once(self):
                return store.current().at_once()

            def finish(self, *args):
                return store.current().finish(*args)

        Relief(board).give(Late())
        assert (slot.recorded, slot.size) == (0, 2)

    def test_a_run_that_came_back_meanwhile_has_not_begun_again(self, board, slot, taken):
        class Late:
            """As slow: the run has left for a wait, and is here under another lease."""

            def __getattr__(self, name):
                return getattr(store.current(), name)

            def start(self, run_id, token, *args):
                answer = store.current().start(run_id, token, *args)
                slot.assign(run_id, "another lease", 1, State.RUNNING)
                return answer

        Relief(board).give(Late())
        assert slot.run_id == taken[1].run_id
        assert not slot.is_begun

    def test_a_canceled_run_is_taken_out(self, board, taken):
        Relief(board).take_back(store.current(), taken[2].run_id)
        assert self.statuses(taken)[2] == "QUEUED"

    def test_the_bookkeeper_ends_what_a_dead_worker_left(self, board, slot, taken):
        death = deaths.of(slot, -11)
        assert death.leases == {(one.run_id, one.token) for one in taken}
        books = bookkeeper.Bookkeeper(board, None, None)
        books.record(death)
        books.record(death)
        assert self.statuses(taken) == ["COMPLETED", "QUEUED", "QUEUED"]
        assert Attempt.objects.get(run_id=taken[1].run_id).status == AttemptStatus.CRASHED
        assert not Attempt.objects.filter(run_id=taken[2].run_id).exists()

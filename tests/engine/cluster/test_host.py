"""What the host writes about its runs, many at a time."""

import time
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection

from engine.cluster import guests
from engine.cluster.board import Ask, Board, State
from engine.cluster.clerk import Clerk, Ended
from engine.cluster.endings import Leaving
from engine.cluster.host import SeatControl
from engine.cluster.lines import Patient
from runs.journal import Pause
from runs.lifecycle import attempts, sessions, store
from runs.models import Lane, Ready, Run
from runs.states import RunStatus
from tests.support import factories
from tests.support.factories import history, queue, trigger


@pytest.fixture
def board():
    made = Board(1, seats=3)
    guests.vacate(made, State.FREE)
    return made


@pytest.fixture
def clerk(db, board):
    factories.task("nap", is_async=True)
    factories.task("other", is_async=True)
    board.session_id = factories.session().pk
    return Clerk(SimpleNamespace(board=board, hot=store.current(), slot=board.host))


def ended(clerk, number, work, ending=None):
    now = time.monotonic_ns()
    ending = ending or attempts.complete(work.run_id, work.token, '"rested"')
    return Ended(number, work, ending, now - 1_000_000, now)


def statuses(works):
    return [Run.objects.get(pk=work.run_id).status for _, work in works]


def test_free_seats_are_filled(clerk, board):
    ids = [trigger("nap").pk for _ in range(5)]
    works = clerk.take([0, 2])
    assert [(number, work.run_id) for number, work in works] == [(0, ids[0]), (2, ids[1])]
    assert [seat.run_id for seat in board.seats] == [ids[0], "", ids[1]]
    assert statuses(works) == [RunStatus.EXECUTING] * 2


def test_a_run_that_the_process_had_no_time_for_is_handed_back(clerk, board):
    """As after a stop of the whole machine: by now another may have executed it."""
    trigger("nap")
    [(number, work)] = clerk.take([0])
    assert not clerk.is_stale(number)
    board.seats[number].since -= 60 * 1_000_000_000
    assert clerk.is_stale(number)
    clerk.give_back(number, work)
    run = Run.objects.get(pk=work.run_id)
    assert (run.status, run.uncounted_attempts) == (RunStatus.QUEUED, 1)
    assert board.seats[number].state == State.FREE


def test_a_run_that_goes_on_is_not_stale(clerk, board):
    trigger("nap")
    [(number, _)] = clerk.take([0])
    board.seats[number].state = State.RUNNING
    board.seats[number].since -= 60 * 1_000_000_000
    assert not clerk.is_stale(number)


def test_nothing_is_claimed_where_nothing_is_there(clerk, monkeypatch):
    trigger("plain")
    monkeypatch.setattr(clerk.here.hot, "claim_started", pytest.fail)
    assert clerk.take([0]) == []


def test_a_claim_whose_answer_was_lost_is_not_made_twice(clerk, board, monkeypatch):
    ids, opened = [trigger("nap").pk for _ in range(3)], clerk.here.hot
    clerk.take([0])
    claims = []

    def claim_started(*asked):
        claims.append(type(opened).claim_started(opened, *asked))
        raise OperationalError("the connection broke")

    monkeypatch.setattr(opened, "claim_started", claim_started)
    monkeypatch.setattr(clerk, "insist", lambda call: twice(call, opened))
    assert [work.run_id for _, work in clerk.take([1, 2])] == ids[1:]
    assert len(claims) == 1


def twice(call, opened):
    try:
        return call(opened)
    except OperationalError:
        return call(opened)


def test_a_lost_session_fences_the_cluster(clerk, board):
    trigger("nap")
    sessions.close(board.session_id)
    assert clerk.take([0]) == []
    assert board.head.fenced == 1


def test_the_next_run_comes_with_the_end_of_another(clerk, board):
    ids = [trigger("nap").pk for _ in range(4)]
    works = clerk.take([0, 1, 2])
    (taken,) = clerk.record([ended(clerk, *one) for one in works[:2]], take=True)
    assert (taken.seat, taken.work.run_id, taken.work.begun) == (0, ids[3], True)
    assert [seat.run_id for seat in board.seats] == [ids[3], "", ids[2]]


def test_an_end_whose_answer_was_lost_is_written_once(clerk, board, monkeypatch):
    ids, opened = [trigger("nap").pk for _ in range(4)], clerk.here.hot
    works, turns = clerk.take([0, 1]), []

    def turn_over(*asked):
        turns.append(type(opened).turn_over(opened, *asked))
        if len(turns) == 1:
            raise OperationalError("the connection broke")
        return turns[-1]

    monkeypatch.setattr(opened, "turn_over", turn_over)
    monkeypatch.setattr(clerk, "insist", lambda call: twice(call, opened))
    taken = clerk.record([ended(clerk, *works[0])], take=True)
    assert [work.run_id for _, work in taken] == [ids[2]]
    assert [seat.run_id for seat in board.seats] == [ids[2], ids[1], ""]
    assert history(ids[3]) == ["triggered"]


def test_different_ends_are_recorded_together(clerk):
    for name in ("nap", "other", "nap"):
        trigger(name)
    works = clerk.take([0, 1, 2])
    error = factories.ERROR
    ends = [None, None, attempts.fail(works[2][1].run_id, works[2][1].token, error)]
    assert (
        clerk.record(
            [ended(clerk, *work, end) for work, end in zip(works, ends, strict=True)], take=False
        )
        == []
    )
    assert statuses(works) == [RunStatus.COMPLETED, RunStatus.COMPLETED, RunStatus.FAILED]
    assert history(works[0][1].run_id) == ["triggered", "started", "completed"]


def test_what_returned_is_one_write_with_what_comes_in_its_place(clerk, monkeypatch):
    for name in ("nap", "other", "nap", "other", "nap", "nap"):
        trigger(name)
    works, turns = clerk.take([0, 1, 2]), []
    opened = clerk.here.hot

    def turn_over(done, *others):
        turns.append(len(done))
        return type(opened).turn_over(opened, done, *others)

    monkeypatch.setattr(opened, "turn_over", turn_over)
    monkeypatch.setattr(clerk, "take", pytest.fail)
    taken = clerk.record([ended(clerk, *work) for work in works], take=True)
    assert turns == [3]
    assert sorted(one.seat for one in taken) == [0, 1, 2]
    assert statuses(works) == [RunStatus.COMPLETED] * 3
    assert statuses(taken) == [RunStatus.EXECUTING] * 3


def test_what_goes_on_keeps_its_seat(clerk, board):
    ids = [trigger("nap").pk for _ in range(4)]
    works = clerk.take([0, 1])
    over = Leaving(*works[0][1][0:3:2], Pause(reason="", due=factories.timezone.now()))
    taken = clerk.record([ended(clerk, *works[0], over), ended(clerk, *works[1])], take=True)
    assert [(one.seat, one.work.run_id) for one in taken] == [(0, ids[0]), (1, ids[2])]
    assert [seat.run_id for seat in board.seats] == [ids[0], ids[2], ""]


def test_nothing_is_taken_for_a_session_that_is_lost(clerk, board):
    for _ in range(2):
        trigger("nap")
    works = clerk.take([0])
    sessions.close(board.session_id)
    assert clerk.record([ended(clerk, *works[0])], take=True) == []
    assert board.seats[0].run_id == ""


def test_what_the_database_refuses_fails_alone(clerk):
    trigger("nap")
    trigger("nap")
    works = clerk.take([0, 1])
    bad = attempts.complete(works[0][1].run_id, works[0][1].token, "no\x00text")
    clerk.record([ended(clerk, *works[0], bad), ended(clerk, *works[1])], take=False)
    refused = RunStatus.SYSTEM_FAILURE if connection.vendor == "postgresql" else RunStatus.COMPLETED
    assert statuses(works) == [refused, RunStatus.COMPLETED]


def test_a_wait_that_is_over_already_goes_on(clerk):
    trigger("nap")
    trigger("nap")
    works = clerk.take([0, 1])
    pauses = [factories.timezone.now(), factories.timezone.now() + factories.timedelta(hours=1)]
    ends = [
        Leaving(work.run_id, work.token, Pause(reason="", due=due))
        for (_, work), due in zip(works, pauses, strict=True)
    ]
    going_on = clerk.record(
        [ended(clerk, *one, end) for one, end in zip(works, ends, strict=True)], take=False
    )
    assert [(one.seat, one.work.run_id, one.work.resumed) for one in going_on] == [
        (0, works[0][1].run_id, True)
    ]
    assert statuses(works) == [RunStatus.EXECUTING, RunStatus.WAITING]


def test_a_run_that_is_none_for_a_loop_goes_to_a_process_of_its_own(clerk):
    run = trigger("nap")
    ((_, work),) = clerk.take([0])
    clerk.relocate(0, work)
    assert Run.objects.get(pk=run.pk).uncounted_attempts == 1
    assert Ready.objects.get(pk=run.pk).lane == Lane.ALONE
    assert clerk.take([0]) == []


def test_a_limit_holds_for_what_is_taken_together(clerk):
    queue("few", limit=2)
    for _ in range(3):
        trigger("nap", queue="few")
    assert len(clerk.take([0, 1, 2])) == 2


def test_only_the_run_that_is_meant_hears_why_it_should_stop(board):
    seat = board.seats[0]
    seat.assign("a", "ta", 1, State.RUNNING)
    seat.ask_to_stop(Ask.CANCEL, seat.token)
    assert SeatControl(seat, "ta").reason() == "cancel"
    assert SeatControl(seat, "other").reason() == ""
    seat.assign("b", "tb", 1, State.RUNNING)
    assert SeatControl(seat, "tb").reason() == ""


def test_its_lines_never_wait_long():
    waits = []
    channel = SimpleNamespace(send=lambda message, patience: waits.append(patience))
    lines = Patient(channel)
    lines.begin("run", 1)
    lines.write(20, "stdout", "text", 0.0)
    assert (lines.dropped, max(waits) <= 0.01) == (1, True)

"""What the rest of the cluster makes of the process that many runs share."""

import pickle
import time
from types import SimpleNamespace

import pytest

from engine.cluster import bookkeeper, deaths, guests
from engine.cluster.board import Ask, Board, State
from engine.cluster.deaths import Guilt
from engine.registry import registry
from runs.lifecycle import store
from runs.models import Lane
from runs.states import RunStatus
from tests.support import factories
from tests.support.factories import executing_run

SECOND = 1_000_000_000


@pytest.fixture
def board():
    made = Board(2, seats=4)
    made.head.sharing = 1
    made.host.pid, made.host.state = 4711, State.OPEN
    guests.vacate(made, State.FREE)
    return made


@pytest.fixture
def three(board):
    """Three runs have seats, and the loop is in none."""
    for number, run_id in enumerate("abc"):
        board.seats[number].assign(run_id, f"t{run_id}", 1, State.RUNNING, begun=True)
        board.seats[number].entered = time.monotonic_ns()
    return board


def judged(board, exitcode=-9):
    return {death.run_id: death.guilt for death in guests.deaths_of(board, exitcode)}


def overdue(board, number, why=Ask.TIMEOUT, ago=10):
    """The sentinel killed the host because this run did not stop."""
    seat = board.seats[number]
    seat.ask_to_stop(why, seat.token)
    seat.asked_at -= ago * SECOND
    seat.killed = why
    return seat


def inside(board, number, since=0.0):
    board.head.stepping = number + 1
    board.head.stepping_since = time.monotonic_ns() - int(since * SECOND)


def test_seats_are_no_workers(board):
    board.slots[0].state = State.FREE
    assert (len(board), board.free(), len(board.taken)) == (2, [0], 6)
    board.head.sharing = 0
    assert len(board.taken) == 2


def test_a_run_is_found_on_its_seat(three):
    assert three.slot_of("b").token == b"tb"
    assert three.slot_of("d") is None


def test_it_dies_in_the_code_of_one(three):
    inside(three, 1)
    assert judged(three) == {"a": Guilt.NONE, "b": Guilt.CERTAIN, "c": Guilt.NONE}


def test_nobody_knows_whose_fault_it_was(three):
    assert set(judged(three).values()) == {Guilt.POSSIBLE}


def test_the_only_one_is_guilty(board):
    board.seats[3].assign("a", "ta", 1, State.RUNNING, begun=True)
    assert judged(board) == {"a": Guilt.CERTAIN}


def test_who_did_not_stop_is_guilty(three):
    overdue(three, 0)
    found = {one.run_id: one for one in guests.deaths_of(three, -9)}
    assert (found["a"].guilt, found["a"].killed) == (Guilt.CERTAIN, Ask.TIMEOUT)
    assert (found["b"].guilt, found["b"].killed) == (Guilt.NONE, 0)


def test_who_kept_others_from_being_stopped_is_guilty_instead(three):
    overdue(three, 0)
    inside(three, 2, since=12)
    found = {one.run_id: one for one in guests.deaths_of(three, -9)}
    assert (found["a"].guilt, found["c"].guilt) == (Guilt.NONE, Guilt.CERTAIN)
    assert "held the event loop for 12.0 s" in found["c"].why


def test_who_is_in_the_loop_only_now_kept_nobody(three):
    overdue(three, 0)
    inside(three, 2, since=0.01)
    assert judged(three)["a"] == Guilt.CERTAIN


def test_a_stop_is_nobodys_fault(three):
    three.host.killed = Ask.SHUTDOWN
    inside(three, 1)
    assert {death.killed for death in guests.deaths_of(three, -9)} == {Ask.SHUTDOWN}


def test_what_was_not_started_is_no_suspect(three):
    three.seats[3].assign("d", "td", 1, State.ASSIGNED)
    inside(three, 1)
    found = {one.run_id: one for one in guests.deaths_of(three, -9)}
    assert not found["d"].started


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("guilt", "ends"),
    [
        (Guilt.NONE, [RunStatus.QUEUED] * 4),
        (Guilt.POSSIBLE, [RunStatus.QUEUED, RunStatus.QUEUED, RunStatus.CRASHED]),
        (Guilt.CERTAIN, [RunStatus.CRASHED]),
    ],
)
def test_the_innocent_lose_no_try_and_suspects_are_given_up_in_the_end(guilt, ends):
    by = factories.session()
    one = executing_run(by, max_attempts=1)
    for status in ends:
        death = deaths.Death(
            run_id=one.run_id, token=one.token, started=True, killed=0, exitcode=-9, guilt=guilt
        )
        assert store.current().finish(deaths.ending_of(death)).won
        assert one.run.status == status
        if status == RunStatus.QUEUED:
            one = factories.claim(by)[0]
            factories.start(one)


def test_the_host_is_nudged_where_there_is_one(board):
    sent = []
    inbox = SimpleNamespace(send=lambda message, patience: sent.append(message))
    guests.nudge(board, inbox)
    board.head.sharing = 0
    guests.nudge(board, inbox)
    # readable to the sentinel, which empties the inbox of one that died
    assert [pickle.loads(message) for message in sent] == ["LOOK"]


@pytest.mark.django_db
def test_lanes_are_told_apart_where_a_host_is_wanted(board, monkeypatch):
    board.head.sharing = 0
    monkeypatch.setattr(registry, "_tasks", {})
    assert guests.lane_beside(board) == Lane.ALONE
    factories.task("elsewhere", is_async=True)
    assert guests.lane_beside(board) is None
    board.head.sharing = 1
    assert guests.lane_beside(board) == Lane.ALONE


@pytest.mark.django_db
def test_the_bookkeeper_knows_the_leases_of_seats(board):
    by = factories.session()
    board.session_id = by.pk
    one = executing_run(by)
    books = bookkeeper.Bookkeeper(board, None, None)
    board.seats[0].assign(*one.lease, 1, State.RUNNING)
    for _ in range(3):
        books.reconcile()
    assert books.unrecorded == []
    board.seats[0].clear(State.FREE)
    for _ in range(2):
        books.reconcile()
    assert [death.run_id for death in books.unrecorded] == [one.run_id]


def test_who_stays_in_the_loop_is_told_once(three):
    holder = guests.Holder(three)
    assert holder.found() is None
    inside(three, 1, since=2)
    assert holder.found() is None
    inside(three, 1, since=7)
    run_id, attempt, _, _, text, _ = holder.found()
    assert (run_id, attempt) == ("b", 1)
    assert text.startswith("It has been holding the event loop for 7 s; 2 other runs wait.")
    assert holder.found() is None

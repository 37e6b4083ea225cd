"""Coroutines that stay in the host while their runs wait."""

import asyncio

import pytest

from engine.cluster import lounge
from engine.cluster.board import Ask, Board, State
from engine.cluster.host import Host
from engine.cluster.keeping import RunKeeper
from engine.cluster.lounge import NOWHERE, Lounge
from engine.cluster.place import SeatControl
from engine.execution.watching import Guest
from runs import conf
from runs.journal import Pause
from runs.lifecycle import store

PAUSE = Pause(reason="", targets=("waitpoint_1",))
FACTS = dict.fromkeys(store.Assignment._fields)
FACTS |= {"run_id": "run_1", "task_id": "nap", "token": "first", "attempt": 1, "tags": "[]"}
WORK = store.Assignment(**FACTS)._replace(machine="small-1x", queue="task/body")


class Spot:
    is_quiet = True

    async def settle(self):
        self.settled = True

    def come_back(self, assignment):
        self.assignment = assignment


class Clerk:
    """Whose database says what the test wants."""

    def __init__(self, seats):
        self.seats, self.left_last, self.waiting = seats, True, set()

    async def does(self, job):
        return job()

    def is_seated(self, run_id):
        return any(seat.run_id == run_id for seat in self.seats)

    def still_waiting(self, leases):
        return self.waiting.intersection(leases)


class House:
    """As much of the host as its lounge knows, with one run on its first seat."""

    time, vacated, watch_time = Host.time, Host.vacated, Host.watch_time

    def __init__(self):
        board = Board(1, seats=2)
        self.seats, self.is_leaving = board.seats, False
        self.clerk, self.guests, self.ended = Clerk(self.seats), {}, []
        self.loop, self.has_ended = asyncio.get_running_loop(), asyncio.Event()
        self.lounge = Lounge(self)
        self.guest = self.guests[0] = Guest(0, None)
        self.control = SeatControl(self.seats[0], "first")
        self.seats[0].assign("run_1", "first", 1, State.RUNNING, begun=True)
        self.keeper = RunKeeper(WORK, self.seats[0], 1, self.insist)
        self.spot = Spot()

    def insist(self, call):
        return {} if self.clerk.left_last else None

    async def parked(self, pause=PAUSE):
        """The wait of its body, once its end is recorded."""
        wait = self.lounge.stay(self.guest, self.control, self.keeper, pause, self.spot)
        waiting = self.loop.create_task(wait)
        while not self.ended and not waiting.done():
            await asyncio.sleep(0)
        return waiting

    def recorded(self, *, waits=True):
        """What the clerk does with its end."""
        if waits:
            self.keeper.leave(())
        self.seats[0].clear(State.FREE)
        self.lounge.settle(self.ended)

    def taken(self, **facts):
        work = WORK._replace(token="second", resumed=True, begun=True, **facts)
        self.seats[1].assign("run_1", "second", work.attempt, State.ASSIGNED)
        return self.lounge.has(1, work)


@pytest.fixture(autouse=True)
def _room(monkeypatch):
    monkeypatch.setattr(lounge, "resident", lambda pid: 0)
    monkeypatch.setattr(lounge, "LOOK", 0.01)


def played(scene):
    async def played():
        return await asyncio.wait_for(scene(House()), 5)

    return asyncio.run(played())


def test_a_body_goes_on_with_another_seat_and_lease():
    async def scene(house):
        house.seats[0].deadline = 1 << 60
        waiting = await house.parked()
        assert (house.guests, house.guest.number, house.seats[0].deadline) == ({}, NOWHERE, 0)
        assert house.ended[0].work_lease == ("run_1", "first")
        house.recorded()
        assert await house.taken()
        assert await waiting
        assert (house.guests, house.guest.number) == ({1: house.guest}, 1)
        assert house.keeper.lease == ("run_1", "second")
        assert (house.seats[1].state, house.seats[1].lease) == (State.RUNNING, ("run_1", "second"))
        assert house.seats[1].deadline
        assert house.spot.settled
        assert house.spot.assignment.run_id == "run_1"
        house.seats[1].ask_to_stop(Ask.CANCEL, house.seats[1].token)
        assert house.control.reason() == "cancel"
        assert house.lounge.is_empty

    played(scene)


def test_a_wait_that_was_over_already_goes_on_with_its_lease():
    async def scene(house):
        waiting = await house.parked()
        house.lounge.settle(house.ended)  # its seat still has it
        assert await house.lounge.has(0, WORK._replace(resumed=True, begun=True))
        assert await waiting
        assert house.keeper.lease == ("run_1", "first")

    played(scene)


@pytest.mark.parametrize("waits", [True, False], ids=["executed elsewhere", "never left"])
def test_a_body_does_not_go_on_with_what_it_does_not_know(waits):
    async def scene(house):
        house.clerk.left_last = False
        waiting = await house.parked()
        if waits:
            house.recorded()
        assert not await house.taken()
        assert await waiting is False
        assert house.keeper.is_gone
        assert house.lounge.leaving == {house.guest}

    played(scene)


def test_another_attempt_is_not_the_bodys():
    async def scene(house):
        waiting = await house.parked()
        house.recorded()
        assert not await house.taken(attempt=2)
        assert await waiting is False

    played(scene)


def test_a_run_that_was_lost_or_canceled_has_nothing_to_wait_for():
    async def scene(house):
        waiting = await house.parked()
        house.recorded(waits=False)
        assert await waiting is False

    played(scene)


def test_time_is_limited(monkeypatch):
    monkeypatch.setitem(conf._known, "STAY_SECONDS", 0.05)

    async def scene(house):
        waiting = await house.parked()
        house.recorded()
        assert await waiting is False

    played(scene)


def test_who_is_on_its_way_is_waited_for(monkeypatch):
    monkeypatch.setitem(conf._known, "STAY_SECONDS", 0.02)

    async def scene(house):
        waiting = await house.parked()
        house.recorded()
        house.seats[1].assign("run_1", "second", 1, State.ASSIGNED)
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert await house.taken()
        assert await waiting

    played(scene)


def test_a_run_that_is_somebody_elses_by_now_is_seen():
    async def scene(house):
        looking = house.loop.create_task(house.lounge.keep_looking())
        waiting = await house.parked()
        await asyncio.sleep(0.03)
        assert not waiting.done()  # its end is not recorded yet
        house.clerk.waiting = {("run_1", "first")}
        house.recorded()
        await asyncio.sleep(0.03)
        assert not waiting.done()
        house.clerk.waiting = set()
        assert await waiting is False
        looking.cancel()

    played(scene)


def test_a_stop_or_time_out_makes_a_body_leave():
    """It must not go on, as it would after `asyncio.timeout`: its run is not here."""

    async def scene(house):
        waiting = await house.parked()
        waiting.cancel()
        assert await waiting is False
        assert house.keeper.is_gone
        assert not house.lounge.lodgers

    played(scene)


def test_the_end_of_the_host_is_the_end_of_all_stays():
    async def scene(house):
        waiting = await house.parked()
        house.recorded()
        waiting.add_done_callback(lambda _: house.lounge.leaving.discard(house.guest))
        await house.lounge.emptied()
        assert await waiting is False
        assert house.lounge.is_empty

    played(scene)


@pytest.mark.parametrize(
    "change",
    [
        lambda house, patch: setattr(house, "is_leaving", True),
        lambda house, patch: setattr(house.spot, "is_quiet", False),
        lambda house, patch: patch.setattr(lounge, "MOST", 0),
        lambda house, patch: patch.setattr(lounge, "resident", lambda pid: 400 * 1024**2),
        lambda house, patch: patch.setitem(conf._known, "STAY_SECONDS", 0.0),
    ],
    ids=["leaving", "busy", "full", "memory", "never"],
)
def test_a_body_may_not_stay_where_it_would_be_in_the_way(change, monkeypatch):
    async def scene(house):
        change(house, monkeypatch)
        waiting = await house.parked()
        assert await waiting is None
        assert house.guests == {0: house.guest}

    played(scene)

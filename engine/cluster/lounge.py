"""Bodies of `async def` tasks that stay in the host while their runs wait: their coroutines are suspended.

Such a run leaves like any other: it is WAITING, its seat is free, whoever takes it may have it. Where
that is this very host, the body goes on; otherwise, when its time here is over, or the host ends, it
is left, and the run goes on from the top of its function.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engine.cluster.board import State
from engine.cluster.clerk import Ended
from engine.cluster.endings import Leaving, assignment_of, memory_of
from engine.cluster.keeping import RunKeeper
from engine.cluster.place import SeatControl
from engine.cluster.processes import resident
from engine.cluster.staying import may_be_short
from engine.execution.watching import Guest
from engine.sdk.keeper import SharedSpot
from runs import conf
from runs.journal import Pause
from runs.lifecycle import store

if TYPE_CHECKING:
    from engine.cluster.host import Host

SECOND = 1_000_000_000
#: Bodies that stay at most.
MOST = 100
#: Seconds between two looks at whether their runs are still there to come back.
LOOK = 1.0
#: The place of who has none.
NOWHERE = -1
#: Seconds that bodies get to end when the host does.
LAST = 2.0


@dataclass(eq=False, slots=True)
class Lodger:
    """A body that stays, and what its run goes on with."""

    guest: Guest
    control: SeatControl
    keeper: RunKeeper
    pause: Pause
    spot: SharedSpot
    #: Nanoseconds until max_duration is over; None without one.
    time_left: int | None
    #: Is told whether it may go on.
    back: "asyncio.Future[bool]"

    def is_up_to_date(self, work: store.Assignment) -> bool:
        """Whether this is the end of the very wait the body is in."""
        keeper = self.keeper
        if not keeper.has_left:  # what it waits for was there already
            keeper.note(self.pause.entries)
            return keeper.lease == (work.run_id, work.token)
        same = work.attempt == keeper.work.attempt
        return same and keeper.has_left_last(self.pause.targets)


class Lounge:
    """All of them."""

    def __init__(self, host: "Host") -> None:
        self.host = host
        self.lodgers: dict[str, Lodger] = {}
        #: Those that were told to end and have not.
        self.leaving: set[Guest] = set()

    @property
    def is_empty(self) -> bool:
        return not (self.lodgers or self.leaving)

    # -- they come --------------------------------------------------------------------------------

    async def stay(
        self,
        guest: Guest,
        control: SeatControl,
        keeper: RunKeeper,
        pause: Pause,
        spot: SharedSpot,
    ) -> bool | None:
        """See `Keeper.stay_apart`; called in the body's own coroutine."""
        if not self.has_room(pause) or not spot.is_quiet:
            return None
        await spot.settle()
        seat, now = self.host.seats[guest.number], time.monotonic_ns()
        left = seat.deadline - now if seat.deadline else None
        back = self.host.loop.create_future()
        lodger = Lodger(guest, control, keeper, pause, spot, left, back)
        self.lodgers[keeper.work.run_id], keeper.is_lodging = lodger, True
        leaving = Leaving(*keeper.lease, pause)
        self.host.vacated(Ended(guest.number, keeper.work, leaving, keeper.began, now, keeper))
        guest.number = NOWHERE
        longest = float(conf.get("STAY_SECONDS"))
        timer = self.host.loop.call_later(longest, self.send_away, lodger)
        try:
            stayed: bool = await back
        except asyncio.CancelledError:  # by a stop or a time-out, which its run outlives
            self.forget(lodger)
            return False
        finally:
            timer.cancel()
        return stayed

    def has_room(self, pause: Pause) -> bool:
        """Whether one more may stay, with what all of them hold."""
        if self.host.is_leaving or len(self.lodgers) >= MOST or not may_be_short(pause):
            return False
        least = memory_of(str(conf.get("MACHINE")))
        return float(conf.get("STAY_SECONDS")) > 0 and resident(os.getpid()) * 2 < least

    # -- and go on --------------------------------------------------------------------------------

    async def has(self, number: int, work: store.Assignment) -> bool:
        """Whether the body of this run is here; it goes on, on this seat."""
        lodger = self.lodgers.get(work.run_id)
        if lodger is None:
            return False
        fits = await self.host.clerk.does(partial(lodger.is_up_to_date, work))
        if self.lodgers.get(work.run_id) is not lodger:
            return False
        if fits:
            del self.lodgers[work.run_id]
            self.seat(number, work, lodger)
        else:
            self.dismiss(lodger)
        return fits

    def seat(self, number: int, work: store.Assignment, lodger: Lodger) -> None:
        """The same attempt goes on in a new segment."""
        seat, guest, keeper = self.host.seats[number], lodger.guest, lodger.keeper
        seat.assign(work.run_id, work.token, work.attempt, State.RUNNING, begun=True)
        self.host.time(number, work, lodger.time_left)
        guest.number, guest.assignment = number, assignment_of(work)
        lodger.control.move(seat, work.token)
        keeper.slot, keeper.is_lodging = seat, False
        keeper.come_back(work, seat.entered)
        lodger.spot.come_back(guest.assignment)
        self.host.guests[number] = guest
        lodger.back.set_result(True)
        guest.look()

    # -- or leave ---------------------------------------------------------------------------------

    def send_away(self, lodger: Lodger) -> None:
        """Let the body end, unless its run is here or on its way back."""
        run_id = lodger.keeper.work.run_id
        if self.lodgers.get(run_id) is lodger and not self.host.clerk.is_seated(run_id):
            self.dismiss(lodger)

    def dismiss(self, lodger: Lodger) -> None:
        self.forget(lodger)
        if not lodger.back.done():
            lodger.back.set_result(False)
        grace = float(conf.get("CANCEL_GRACE_SECONDS"))
        self.host.loop.call_later(grace, self.cancel, lodger.guest)

    def forget(self, lodger: Lodger) -> None:
        """Its run has left for good."""
        self.lodgers.pop(lodger.keeper.work.run_id, None)
        lodger.keeper.is_gone = True
        self.leaving.add(lodger.guest)

    def cancel(self, guest: Guest) -> None:
        """Its time to end is over."""
        for code in guest.tasks if guest in self.leaving else ():
            code.cancel()

    def settle(self, ended: list[Ended]) -> None:
        """The ends of these are recorded: whose run neither waits nor goes on here has nothing to wait for."""
        for one in ended:
            lodger = self.lodgers.get(one.work.run_id)
            if lodger is not None and one.keeper is lodger.keeper and not one.keeper.has_left:
                self.send_away(lodger)

    def close(self) -> None:
        """Nobody stays any longer."""
        for lodger in list(self.lodgers.values()):
            self.send_away(lodger)

    async def emptied(self) -> None:
        """Nobody is here any more, or does not go."""
        until = time.monotonic() + LAST
        while not self.is_empty and time.monotonic() < until:
            self.close()
            await asyncio.sleep(0.02)

    async def keep_looking(self) -> None:
        """See whose run was taken or ended elsewhere."""
        while True:
            await asyncio.sleep(LOOK)
            away = {one.keeper.lease: one for one in self.lodgers.values() if one.keeper.has_left}
            if not away:
                continue
            waiting = await self.host.clerk.does(partial(self.host.clerk.still_waiting, list(away)))
            for lease in away.keys() - waiting:
                if away[lease].keeper.lease == lease:
                    self.send_away(away[lease])

"""The host: one process in which many runs of `async def` tasks execute at once, in one event loop.

It claims, starts and records its runs itself, many at a time, from a thread that alone talks to the
database about them. Whatever it holds is on the board: a seat for each run.
"""

import asyncio
import logging
import os
import pickle
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import Process
from typing import NoReturn

from django_q.cluster import get_mp_context
from django_q.conf import Conf

from engine.cluster import guests, limits, records, reload, tidying, variables, worker
from engine.cluster import place as places
from engine.cluster.board import Ask, State
from engine.cluster.channels import Channel, TaskQueue
from engine.cluster.clerk import Clerk, Ended, Journal, Taken
from engine.cluster.endings import Leaving, assignment_of, measure
from engine.cluster.keeping import RunKeeper
from engine.cluster.lines import Patient
from engine.cluster.lounge import Lounge
from engine.cluster.place import Place, SeatControl
from engine.cluster.processes import sweep_children
from engine.cluster.stepping import Stepping
from engine.execution import routing, sharing
from engine.execution.failures import describe
from engine.execution.hygiene import Snapshot
from engine.execution.watching import Guest, begun, watched
from engine.registry import registry
from engine.sdk.blocking import blocking
from runs import conf
from runs.lifecycle import attempts, store
from runs.models import Lane
from runs.states import RunStatus

log = logging.getLogger("trackside")

SECOND = 1_000_000_000
#: Ends that are worth a write of their own, and seconds between two words to the dispatcher of such.
FEW, TELL = 16, 0.02
#: django-q2's word for a worker to end.
STOP = pickle.dumps("STOP")


def spawned(inbox: TaskQueue) -> Process:
    """A new process; what `place` says is its own from now on."""
    process: Process = get_mp_context().Process(target=serve, args=(inbox,))
    process.daemon = Conf.DAEMONIZE_WORKERS
    process.start()
    return process


def serve(inbox: TaskQueue) -> NoReturn:
    """The process's body."""
    here = places.place()
    worker.set_out(here, "ts-host")
    here.lane = Lane.SHARED
    records.abandon(here)
    routing.share()
    code = 0
    try:
        asyncio.run(Host(here, inbox).run())
        here.slot.clear(State.GONE)
    except BaseException:
        log.critical(
            "The host %s ends because of a mistake in Trackside.", os.getpid(), exc_info=True
        )
        code = worker.BROKEN
    finally:
        logging.shutdown()
        os._exit(code)


class Host:
    """Takes runs while it has free seats, and executes them."""

    def __init__(self, here: Place, inbox: Channel) -> None:
        self.here, self.board, self.inbox = here, here.board, inbox
        self.seats = here.board.seats
        self.clerk = Clerk(here)
        self.journal = Journal(here)
        self.lounge = Lounge(self)
        self.guests: dict[int, Guest] = {}
        self.ended: list[Ended] = []
        self.woken, self.has_ended = asyncio.Event(), asyncio.Event()
        #: When it was told to end, 0 while it was not.
        self.leaving_since = 0.0

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def run(self) -> None:
        """Until it is told to end and nobody is here any more."""
        self.open()
        recording = self.loop.create_task(self.keep_recording())
        looking = self.loop.create_task(self.lounge.keep_looking())
        while not (self.is_leaving and self.is_empty):
            self.woken.clear()
            if not recording.done() and await self.take():
                continue
            for duty in (recording, looking):
                if duty.done():
                    duty.result()
            self.mend()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), float(conf.get("POLL_SECONDS")))
        await self.lounge.emptied()
        recording.cancel()

    def open(self) -> None:
        self.loop.set_task_factory(watched(Stepping(self.board, self.guests)))
        self.loop.add_reader(self.inbox.fileno(), self.hear)
        self.loop.add_signal_handler(signal.SIGUSR1, self.look)
        slot, self.here.clean = self.here.slot, Snapshot(self.here.files)
        guests.vacate(self.board, State.FREE)
        for seat in self.seats:
            seat.pid, seat.version = os.getpid(), slot.version
        slot.memory, slot.since = 0, time.monotonic_ns()
        slot.state = State.OPEN

    # -- what it is told --------------------------------------------------------------------------

    def hear(self) -> None:
        if STOP in self.inbox.drain():
            self.leave("It is replaced.")
        self.woken.set()

    def look(self) -> None:
        """Somebody left word for one of its runs."""
        for guest in list(self.guests.values()):
            guest.look()

    def leave(self, reason: str) -> None:
        """Take nothing more; what is here may finish for the grace, then it is handed back."""
        if not self.leaving_since:
            log.info("The host %s takes no more runs: %s", os.getpid(), reason)
            self.leaving_since = time.monotonic()
            self.lounge.close()
            self.loop.call_later(float(conf.get("DRAIN_SECONDS")), self.ask_all)

    def ask_all(self) -> None:
        for number in self.guests:
            self.seats[number].ask_to_stop(Ask.SHUTDOWN, self.seats[number].token)
        self.look()

    @property
    def is_leaving(self) -> bool:
        return bool(self.leaving_since or self.board.head.stop)

    @property
    def is_full(self) -> bool:
        """Whether it is to take nothing with the ends of its runs."""
        holds_back = self.board.head.heavy == store.Waits.ROOM
        return bool(self.is_leaving or self.board.head.fenced or holds_back)

    @property
    def is_empty(self) -> bool:
        return not any(seat.is_busy for seat in self.seats)

    # -- runs come --------------------------------------------------------------------------------

    async def take(self) -> int:
        """Fill free seats; how many runs came."""
        free = [number for number, seat in enumerate(self.seats) if seat.state == State.FREE]
        if reload.is_outdated(self.here):
            self.leave("The cluster has newer code.")
        elif self.is_empty and variables.has_old_variables(self.here):
            self.leave("Environment variables were changed.")
        if not free or self.is_leaving or self.board.head.fenced:
            return 0
        taken = await self.clerk.does(partial(self.clerk.take, free))
        await self.welcome_all(taken)
        return len(taken)

    async def welcome_all(self, taken: Sequence[Taken]) -> None:
        if taken and variables.is_behind(self.here):
            variables.take(self.here, await self.clerk.does(self.clerk.variables))
        for one in taken:
            await self.welcome(*one)
        self.count_memory()

    async def welcome(self, number: int, work: store.Assignment) -> None:
        task = registry.get(work.task_id)
        if task is not None and not task.body.is_async:
            await self.clerk.does(partial(self.clerk.relocate, number, work))
        elif self.clerk.is_stale(number):
            await self.clerk.does(partial(self.clerk.give_back, number, work))
        elif not await self.lounge.has(number, work):
            self.enter(number, work)

    def enter(self, number: int, work: store.Assignment) -> None:
        """The run begins."""
        seat = self.seats[number]
        seat.assign(work.run_id, work.token, work.attempt, State.RUNNING, begun=True)
        limit = int(work.max_duration * SECOND) if work.max_duration else None
        self.time(number, work, limit)
        self.here.executed += 1
        if self.here.executed >= int(conf.get("RECYCLE_RUNS")):
            self.leave("It has executed enough of them.")
        guest = self.guests[number] = Guest(number, assignment_of(work))
        begun(guest, self.execute(guest, work))

    def time(self, number: int, work: store.Assignment, limit: int | None) -> None:
        """Its body is entered, and may execute for so many nanoseconds."""
        seat = self.seats[number]
        measure(seat, work)
        seat.entered = time.monotonic_ns()
        if limit is not None:
            seat.deadline = seat.entered + max(limit, 1)
            self.loop.call_later(limit / SECOND, self.watch_time, number, work.token)

    def watch_time(self, number: int, token: str) -> None:
        """Stop the run when its max_duration is over; what it used before a wait counts too."""
        seat = self.seats[number]
        if seat.token != token.encode() or not seat.deadline:
            return
        left = (seat.deadline - time.monotonic_ns()) / SECOND
        if left > 0:
            self.loop.call_later(left, self.watch_time, number, token)
        elif seat.ask_to_stop(Ask.TIMEOUT, seat.token):
            self.guests[number].look()

    def count_memory(self) -> None:
        """The process may use what the machines of its runs have together; no limit while it has none."""
        total = sum(seat.memory for seat in self.seats if seat.is_busy)
        self.here.slot.memory = min(total, limits.import_memory())

    async def execute(self, guest: Guest, work: store.Assignment) -> None:
        """One attempt."""
        seat = self.seats[guest.number]
        lines = Patient(self.here.lines.channel)
        lines.begin(work.run_id, work.attempt)
        keeper = RunKeeper(work, seat, seat.entered, self.journal.insist)
        control = SeatControl(seat, work.token)
        keeper.lounge = partial(self.lounge.stay, guest, control)
        ending: store.Ending | Leaving
        try:
            outcome = await sharing.execute(guest, lines, control, keeper)
            ending = await self.clerk.ending(keeper.work, outcome)
        except BaseException as mistake:
            log.critical("Run %s met a mistake in Trackside.", work.run_id, exc_info=True)
            error = describe(mistake, "TASK_EXECUTION_FAILED")
            ending = attempts.fail(*keeper.lease, error, RunStatus.SYSTEM_FAILURE)
        lines.end()
        if keeper.is_gone:
            self.lounge.leaving.discard(guest)
        else:
            now = time.monotonic_ns()
            self.done(Ended(guest.number, keeper.work, ending, keeper.began, now))

    # -- and go -----------------------------------------------------------------------------------

    def done(self, one: Ended) -> None:
        """Its attempt is over; its seat is taken until that is recorded."""
        with blocking():
            tidying.close_connections(interrupted=False)
        self.vacated(one)

    def vacated(self, one: Ended) -> None:
        """Nothing of the run executes any more, though its body may stay."""
        self.seats[one.seat].deadline = 0
        del self.guests[one.seat]
        self.ended.append(one)
        self.has_ended.set()

    async def keep_recording(self) -> None:
        """Record what ended, as much together as leaves others to execute meanwhile."""
        most, told = max(len(self.seats) // 2, FEW), 0.0
        while True:
            await self.has_ended.wait()
            ended, self.ended = self.ended[:most], self.ended[most:]
            if not self.ended:
                self.has_ended.clear()
            taken = await self.clerk.does(partial(self.clerk.record, ended, take=not self.is_full))
            self.lounge.settle(ended)
            await self.welcome_all(taken)
            if not taken or time.monotonic() - told > TELL:
                told = time.monotonic()
                self.here.wake.send(b"free", 0)  # a limit may have room for others now
            self.woken.set()

    def mend(self) -> None:
        """Put back what bodies changed about the process, while nobody needs it as it is."""
        if not (self.is_empty and self.lounge.is_empty):
            return
        sweep_children(set())
        damage = self.here.clean.restore() if self.here.clean else ""
        if damage:
            log.warning("The host %s is replaced: %s", os.getpid(), damage)
            self.leave(damage)

"""The host: one process in which many runs of `async def` tasks execute at once, in one event loop.

It claims, starts and records its runs itself, many at a time, from a thread that alone talks to the
database about them. Whatever it holds is on the board: a seat for each run.
"""

import asyncio
import logging
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple, NoReturn, TypeVar

from django.db import connections

from engine.cluster import guests, limits, records, reload, tidying, worker
from engine.cluster import place as places
from engine.cluster.board import Ask, Seat, State
from engine.cluster.channels import Channel, TaskQueue
from engine.cluster.endings import Leaving, assignment_of, ending_of, memory_of
from engine.cluster.keeping import RunKeeper
from engine.cluster.lines import LineSender
from engine.cluster.place import REASONS, Place
from engine.cluster.processes import sweep_children
from engine.execution import capture, sharing
from engine.execution.failures import describe
from engine.execution.hygiene import Snapshot
from engine.execution.sharing import Guest, Held
from engine.registry import registry
from engine.sdk.blocking import blocking
from runs import conf, signals
from runs.lifecycle import attempts, store
from runs.models import Lane, Run
from runs.states import RunStatus

log = logging.getLogger("trackside")

SECOND = 1_000_000_000
#: django-q2's word for a worker to end.
STOP = pickle.dumps("STOP")
NOT_ASYNC = "Its task is no async function any more; it goes to a process of its own."
R = TypeVar("R")


def serve(inbox: TaskQueue) -> NoReturn:
    """The process's body."""
    here = places.place()
    worker.set_out(here, "ts-host")
    here.lane = Lane.SHARED
    records.abandon(here)
    capture.share()
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


class Ended(NamedTuple):
    """A run that is done here. The moments are CLOCK_MONOTONIC nanoseconds."""

    seat: int
    work: store.Assignment
    ending: store.Ending | Leaving
    began: int
    ended: int

    @property
    def bucket(self) -> tuple[str, str]:
        key = self.work.concurrency_key
        return self.work.queue, "" if key is None else f"={key}"

    @property
    def is_plain(self) -> bool:
        """Whether its body returned and nothing else is to be written."""
        return isinstance(self.ending, store.Ending) and self.ending.status == RunStatus.COMPLETED

    @property
    def done(self) -> store.Done:
        output = None if isinstance(self.ending, Leaving) else self.ending.output
        return store.Done(*self.work_lease, output, self.began, self.ended)

    @property
    def work_lease(self) -> tuple[str, str]:
        return self.work.run_id, self.work.token


class Taken(NamedTuple):
    """A run that is about to begin on a seat."""

    seat: int
    work: store.Assignment


class SeatControl:
    """Why the run on a seat should stop."""

    def __init__(self, seat: Seat, token: str) -> None:
        self.seat, self.token = seat, token.encode()

    def reason(self) -> str:
        seat = self.seat
        ours = seat.token == self.token and seat.state == State.RUNNING
        return REASONS.get(Ask(seat.ask), "") if ours and seat.is_asked else ""


class Patient(LineSender):
    """One attempt's log lines. Whoever waits for room here keeps all runs waiting."""

    patience = 0.005

    def write(self, level: int, logger: str, message: str, at: float) -> None:
        if not self.channel.send(self.packed(level, logger, message, at), 0.005):
            self.dropped += 1


class Stepping(Held):
    """Notes on the board whose code the loop is in."""

    def __init__(self, host: "Host") -> None:
        super().__init__(lambda: len(host.guests))
        self.head = host.here.board.head

    def enter(self, guest: Guest) -> None:
        super().enter(guest)
        self.head.stepping_since = time.monotonic_ns()
        self.head.stepping = guest.number + 1

    def leave(self, guest: Guest) -> None:
        self.head.stepping = 0
        super().leave(guest)


class Taking:
    """A write that takes runs; asked again for want of an answer, it looks for what it took."""

    def __init__(self, clerk: "Clerk") -> None:
        self.clerk, self.asked = clerk, False

    def taken_before(self, opened: store.Store) -> list[store.Assignment]:
        if not self.asked:
            self.asked = True
            return []
        held = opened.held_by(self.clerk.here.board.session_id, os.getpid())
        return [work for work in held if not self.clerk.is_seated(work.run_id)]


class Claiming(Taking):
    """Runs for free seats."""

    def __init__(self, clerk: "Clerk", most: int) -> None:
        super().__init__(clerk)
        self.most = most

    def __call__(self, opened: store.Store) -> list[store.Assignment]:
        before = self.taken_before(opened)
        if before:
            return before[: self.most]
        return opened.claim_started(self.clerk.here.board.session_id, self.most, os.getpid())


class Turning(Taking):
    """The ends of runs of one bucket, and a run in the place of one of them."""

    def __init__(self, clerk: "Clerk", done: Sequence[store.Done], take: store.Next) -> None:
        super().__init__(clerk)
        self.done, self.take = done, take

    def __call__(self, opened: store.Store) -> store.Turn:
        again, before = self.asked, self.taken_before(opened)
        turn = opened.turn(self.done, store.Next.NONE if again else self.take, 1, os.getpid())
        return store.Turn(before[: len(self.done)], turn.lost) if again else turn


class Clerk:
    """Writes about runs from a thread of its own, as many together as there are."""

    def __init__(self, here: Place) -> None:
        self.here, self.seats = here, here.board.seats
        self.thread = ThreadPoolExecutor(1, "trackside-clerk")

    async def does(self, job: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self.thread, job)

    def insist(self, call: Callable[[store.Store], R]) -> R:
        return records.insisting(self.here, call)

    def take(self, free: Sequence[int]) -> list[Taken]:
        """Claim and start runs for these seats."""
        if not self.insist(lambda opened: opened.has_shared()):
            return []
        try:
            works = self.insist(Claiming(self, len(free)))
        except store.SessionLost:
            self.here.board.head.fenced = self.here.board.head.fenced or 1
            return []
        return [self.seated(number, work) for number, work in zip(free, works, strict=False)]

    def seated(self, number: int, work: store.Assignment) -> Taken:
        """Put a run on the board."""
        seat = self.seats[number]
        seat.ask = seat.killed = 0
        seat.assign(work.run_id, work.token, work.attempt, State.ASSIGNED, begun=True)
        return Taken(number, work)

    def is_seated(self, run_id: str) -> bool:
        wanted = run_id.encode()
        return any(seat.run == wanted for seat in self.seats)

    def record(self, ended: Sequence[Ended], take: store.Next) -> list[Taken]:
        """Write how these ended, and take what comes next for their seats.

        One of each queue in the same commit; and those that need not wait after all go on.
        """
        plain = sorted((one for one in ended if one.is_plain), key=lambda one: one.bucket)
        taken: list[Taken] = []
        for _, group in groupby(plain, key=lambda one: one.bucket):
            taken += self.complete(list(group), take)
        others = [one for one in ended if not one.is_plain]
        for one in others:
            if self.left(one):
                taken.append(Taken(one.seat, one.work._replace(resumed=True, begun=True)))
        if others or any(one.work.parent_id for one in plain):
            signals.runs_ready.send(sender=Run)
        for one in ended:
            if one.seat not in {next_.seat for next_ in taken}:
                self.seats[one.seat].clear(State.FREE)
        return taken

    def complete(self, group: Sequence[Ended], take: store.Next) -> list[Taken]:
        """One commit for runs of one bucket, and the run that takes the place of one of them."""
        try:
            turn = self.insist(Turning(self, [one.done for one in group], take))
        except records.MISTAKES:
            for one in group:
                self.left(one)
            return []
        for run_id in turn.lost:
            records.tell_lost(run_id)
        pairs = zip(group, turn.works, strict=False)
        return [self.seated(one.seat, work) for one, work in pairs]

    def left(self, one: Ended) -> bool:
        """Write one end; whether it goes on instead, because what it waits for is there."""
        ending, pid = one.ending, os.getpid()
        try:
            if isinstance(ending, Leaving):
                leaving = ending
                answer = self.insist(lambda opened: opened.suspend(*leaving, store.Next.NONE, pid))
                if answer.outcome == "lost":
                    records.tell_lost(one.work.run_id)
                return answer.outcome == "ready"
            self.finish(ending)
        except records.MISTAKES as mistake:
            log.critical("The end of run %s could not be recorded.", one.work.run_id, exc_info=True)
            error = describe(mistake, "TASK_EXECUTION_FAILED")
            self.finish(attempts.fail(*one.work_lease, error, RunStatus.SYSTEM_FAILURE))
        return False

    def finish(self, ending: store.Ending) -> None:
        pid = os.getpid()
        if not self.insist(lambda opened: opened.finish(ending, store.Next.NONE, pid)).won:
            records.tell_lost(ending.run_id)

    def relocate(self, work: store.Assignment) -> None:
        """Hand back a run that is none for an event loop."""
        self.insist(lambda _: Run.objects.filter(pk=work.run_id).update(lane=Lane.ALONE))
        self.finish(attempts.release(work.run_id, work.token, NOT_ASYNC))
        signals.runs_ready.send(sender=Run)


class Host:
    """Takes runs while it has free seats, and executes them."""

    def __init__(self, here: Place, inbox: Channel) -> None:
        self.here, self.board, self.inbox = here, here.board, inbox
        self.seats = here.board.seats
        self.clerk = Clerk(here)
        self.journal = Journal(here)
        self.threads = ThreadPoolExecutor(len(self.seats), "trackside-run")
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
        while not (self.is_leaving and self.is_empty):
            self.woken.clear()
            if not recording.done() and await self.take():
                continue
            if recording.done():
                recording.result()
            self.mend()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), float(conf.get("POLL_SECONDS")))
        recording.cancel()

    def open(self) -> None:
        self.loop.set_task_factory(sharing.watched(Stepping(self)))
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
            self.loop.call_later(float(conf.get("DRAIN_SECONDS")), self.ask_all)

    def ask_all(self) -> None:
        for number in self.guests:
            self.seats[number].ask_to_stop(Ask.SHUTDOWN)
        self.look()

    @property
    def is_leaving(self) -> bool:
        return bool(self.leaving_since or self.board.head.stop)

    @property
    def is_empty(self) -> bool:
        return not any(seat.is_busy for seat in self.seats)

    # -- runs come --------------------------------------------------------------------------------

    async def take(self) -> int:
        """Fill free seats; how many runs came."""
        free = [number for number, seat in enumerate(self.seats) if seat.state == State.FREE]
        if reload.is_outdated(self.here):
            self.leave("The cluster has newer code.")
        if not free or self.is_leaving or self.board.head.fenced:
            return 0
        taken = await self.clerk.does(partial(self.clerk.take, free))
        for one in taken:
            await self.welcome(*one)
        return len(taken)

    async def welcome(self, number: int, work: store.Assignment) -> None:
        task = registry.get(work.task_id)
        if task is not None and not task.body.is_async:
            await self.clerk.does(partial(self.clerk.relocate, work))
            self.seats[number].clear(State.FREE)
            return
        self.enter(number, work)

    def enter(self, number: int, work: store.Assignment) -> None:
        """The run begins."""
        seat = self.seats[number]
        seat.assign(work.run_id, work.token, work.attempt, State.RUNNING, begun=True)
        seat.memory, seat.entered = memory_of(work.machine), time.monotonic_ns()
        if work.max_duration:
            seat.deadline = seat.entered + int(work.max_duration * SECOND)
            self.loop.call_later(work.max_duration, self.watch_time, number, work.token)
        self.here.executed += 1
        if self.here.executed >= int(conf.get("RECYCLE_RUNS")):
            self.leave("It has executed enough of them.")
        guest = self.guests[number] = Guest(number, assignment_of(work))
        self.count_memory()
        self.threads.submit(self.execute, guest, work, self.loop)

    def watch_time(self, number: int, token: str) -> None:
        """Stop the run when its max_duration is over; what it used before a wait counts too."""
        seat = self.seats[number]
        if seat.token != token.encode() or not seat.deadline:
            return
        left = (seat.deadline - time.monotonic_ns()) / SECOND
        if left > 0:
            self.loop.call_later(left, self.watch_time, number, token)
        elif seat.ask_to_stop(Ask.TIMEOUT):
            self.guests[number].look()

    def count_memory(self) -> None:
        """The process may use what the machines of its runs have together; no limit while it has none."""
        total = sum(seat.memory for seat in self.seats if seat.is_busy)
        self.here.slot.memory = min(total, limits.import_memory())

    def execute(
        self, guest: Guest, work: store.Assignment, loop: asyncio.AbstractEventLoop
    ) -> None:
        """One attempt, in its thread."""
        seat = self.seats[guest.number]
        lines = Patient(self.here.lines.channel)
        lines.begin(work.run_id, work.attempt)
        began = seat.entered
        keeper = RunKeeper(work, seat, began, self.journal.insist)
        control = SeatControl(seat, work.token)
        ending: store.Ending | Leaving
        try:
            outcome = sharing.execute(guest, lines, control, loop, keeper)
            ending = self.journal.insist(lambda _: ending_of(work, outcome))
        except BaseException as mistake:
            log.critical("Run %s met a mistake in Trackside.", work.run_id, exc_info=True)
            error = describe(mistake, "TASK_EXECUTION_FAILED")
            ending = attempts.fail(work.run_id, work.token, error, RunStatus.SYSTEM_FAILURE)
        connections.close_all()
        lines.end()
        one = Ended(guest.number, work, ending, began, time.monotonic_ns())
        loop.call_soon_threadsafe(self.done, one)

    # -- and go -----------------------------------------------------------------------------------

    def done(self, one: Ended) -> None:
        """Its attempt is over; its seat is taken until that is recorded."""
        self.seats[one.seat].deadline = 0
        del self.guests[one.seat]
        with blocking():
            tidying.close_connections(interrupted=False)
        self.ended.append(one)
        self.has_ended.set()

    async def keep_recording(self) -> None:
        """Record what ended, all that ended meanwhile together."""
        while True:
            await self.has_ended.wait()
            self.has_ended.clear()
            ended, self.ended = self.ended, []
            take = store.Next.NONE if self.is_leaving or self.board.head.fenced else store.Next.ANY
            for one in await self.clerk.does(partial(self.clerk.record, ended, take)):
                await self.welcome(*one)
            self.count_memory()
            self.here.wake.send(b"free", 0)  # a limit may have room for others now
            self.woken.set()

    def mend(self) -> None:
        """Put back what bodies changed about the process, while nobody needs it as it is."""
        if not self.is_empty:
            return
        sweep_children(set())
        damage = self.here.clean.restore() if self.here.clean else ""
        if damage:
            log.warning("The host %s is replaced: %s", os.getpid(), damage)
            self.leave(damage)


class Journal:
    """A connection for what bodies record while they execute, from the loop and from threads."""

    def __init__(self, here: Place) -> None:
        self.here = Place(here.board, here.index, here.wake, here.lines, here.parent, here.inbox)
        self.lock = threading.RLock()

    def insist(self, call: Callable[[store.Store], Any]) -> Any:
        with self.lock:
            return records.insisting(self.here, call)

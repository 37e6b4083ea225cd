"""What the host writes about its runs, as many together as there are."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

from engine.cluster import records
from engine.cluster.board import State
from engine.cluster.endings import Leaving, ending_of
from engine.cluster.keeping import RunKeeper
from engine.cluster.place import Place
from engine.execution.failures import describe
from engine.execution.outcomes import Outcome, Succeeded
from runs import conf, signals
from runs.lifecycle import attempts, envvars, store
from runs.models import Lane, Run
from runs.states import TO_COME, RunStatus

log = logging.getLogger("trackside")

NOT_ASYNC = "Its task is no async function any more; it goes to a process of its own."
SECOND = 1_000_000_000
#: Of a lease: so long after a run was taken it is certain that nobody else has it.
PART = 1 / 3
HELD_UP = "The process that took it was held up before it was started."
R = TypeVar("R")


class Ended(NamedTuple):
    """A run that is done here. The moments are CLOCK_MONOTONIC nanoseconds."""

    seat: int
    work: store.Assignment
    ending: store.Ending | Leaving
    began: int
    ended: int
    #: Of a body that stays here while its run waits.
    keeper: RunKeeper | None = None

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
    """The ends of runs, and runs in their places."""

    def __init__(self, clerk: "Clerk", done: Sequence[store.Done], most: int) -> None:
        super().__init__(clerk)
        self.done, self.most = done, most

    def __call__(self, opened: store.Store) -> store.Turn:
        again, before = self.asked, self.taken_before(opened)
        session, most = self.clerk.here.board.session_id, 0 if again else self.most
        turn = opened.turn_over(self.done, session, most, os.getpid())
        return store.Turn(before[: self.most], turn.lost) if again else turn


class Clerk:
    """Writes about runs from a thread of its own, as many together as there are."""

    def __init__(self, here: Place) -> None:
        self.here, self.seats = here, here.board.seats
        self.thread = ThreadPoolExecutor(1, "trackside-clerk")

    async def does(self, job: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self.thread, job)

    def insist(self, call: Callable[[store.Store], R]) -> R:
        return records.insisting(self.here, call)

    async def ending(self, work: store.Assignment, outcome: Outcome) -> store.Ending | Leaving:
        """What it means for its run, which may take a look into the database."""
        if isinstance(outcome, Succeeded):
            return ending_of(work, outcome)
        return await self.does(partial(self.insist, lambda _: ending_of(work, outcome)))

    def variables(self) -> envvars.Loaded:
        return self.insist(lambda _: envvars.loaded())

    def take(self, free: Sequence[int]) -> list[Taken]:
        """Claim and start runs for these seats."""
        if not self.insist(lambda opened: opened.has_shared()):
            return []
        asked_at = time.monotonic_ns()
        try:
            works = self.insist(Claiming(self, len(free)))
        except store.SessionLost:
            self.here.board.head.fenced = self.here.board.head.fenced or 1
            return []
        return [self.seated(*pair, asked_at) for pair in zip(free, works, strict=False)]

    def seated(self, number: int, work: store.Assignment, asked_at: int) -> Taken:
        """Put a run on the board that was taken with a call made at `asked_at`."""
        seat = self.seats[number]
        seat.ask = seat.killed = 0
        seat.assign(work.run_id, work.token, work.attempt, State.ASSIGNED, begun=True)
        seat.since = asked_at
        return Taken(number, work)

    def is_stale(self, number: int) -> bool:
        """Whether a run was taken so long ago that its lease may be lost, and has not begun here."""
        seat, longest = self.seats[number], float(conf.get("LEASE_SECONDS")) * PART
        age = (time.monotonic_ns() - seat.since) / SECOND
        return bool(seat.state == State.ASSIGNED and age > longest)

    def give_back(self, number: int, work: store.Assignment) -> None:
        """Hand back a run that was not entered."""
        self.finish(attempts.release(work.run_id, work.token, HELD_UP))
        self.seats[number].clear(State.FREE)
        signals.runs_ready.send(sender=Run)

    def is_seated(self, run_id: str) -> bool:
        wanted = run_id.encode()
        return any(seat.run == wanted for seat in self.seats)

    def record(self, ended: Sequence[Ended], *, take: bool) -> list[Taken]:
        """Write how these ended, those whose body returned in one commit with what comes in their places.

        Those that need not wait after all go on.
        """
        plain = [one for one in ended if one.is_plain]
        others = [one for one in ended if not one.is_plain]
        taken = [
            Taken(one.seat, one.work._replace(resumed=True, begun=True))
            for one in others
            if self.left(one)
        ]
        kept = {one.seat for one in taken}
        free = [one.seat for one in ended if one.seat not in kept]
        if plain:
            taken += self.complete(plain, free if take else [])
        if others or any(one.work.parent_id for one in plain):
            signals.runs_ready.send(sender=Run)
        occupied = {one.seat for one in taken}
        for number in free:
            if number not in occupied:
                self.seats[number].clear(State.FREE)
        return taken

    def complete(self, ended: Sequence[Ended], free: Sequence[int]) -> list[Taken]:
        """One commit for bodies that returned, and for runs that go on these seats."""
        asked_at = time.monotonic_ns()
        try:
            turn = self.insist(Turning(self, [one.done for one in ended], len(free)))
        except records.MISTAKES:
            for one in ended:
                self.left(one)
            return []
        for run_id in turn.lost:
            records.tell_lost(run_id)
        return [self.seated(*pair, asked_at) for pair in zip(free, turn.works, strict=False)]

    def left(self, one: Ended) -> bool:
        """Write one end; whether it goes on instead, because what it waits for is there."""
        ending, pid = one.ending, os.getpid()
        try:
            if isinstance(ending, Leaving):
                leaving = ending
                answer = self.insist(lambda opened: opened.suspend(*leaving, store.Next.NONE, pid))
                if answer.outcome == "lost":
                    records.tell_lost(one.work.run_id)
                if answer.outcome == "waiting" and one.keeper is not None:
                    one.keeper.leave(leaving.pause.entries)
                return answer.outcome == "ready"
            self.finish(ending)
        except records.MISTAKES as mistake:
            log.critical("The end of run %s could not be recorded.", one.work.run_id, exc_info=True)
            error = describe(mistake, "TASK_EXECUTION_FAILED")
            self.finish(attempts.fail(*one.work_lease, error, RunStatus.SYSTEM_FAILURE))
        return False

    def still_waiting(self, leases: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those that left so, and that nobody executed since or executes now."""
        ids = [run_id for run_id, _ in leases]
        left = Run.objects.filter(pk__in=ids, status__in=TO_COME)
        found = self.insist(lambda _: list(left.values_list("pk", "done_token")))
        return {(str(run_id), str(token)) for run_id, token in found}.intersection(leases)

    def finish(self, ending: store.Ending) -> None:
        pid = os.getpid()
        if not self.insist(lambda opened: opened.finish(ending, store.Next.NONE, pid)).won:
            records.tell_lost(ending.run_id)

    def relocate(self, number: int, work: store.Assignment) -> None:
        """Hand back a run that is none for an event loop."""
        self.insist(lambda _: Run.objects.filter(pk=work.run_id).update(lane=Lane.ALONE))
        self.finish(attempts.release(work.run_id, work.token, NOT_ASYNC))
        self.seats[number].clear(State.FREE)
        signals.runs_ready.send(sender=Run)


class Journal:
    """A connection for what bodies record while they execute, from the loop and from threads."""

    def __init__(self, here: Place) -> None:
        self.here = Place(here.board, here.index, here.wake, here.lines, here.parent, here.inboxes)
        self.lock = threading.RLock()

    def insist(self, call: Callable[[store.Store], Any]) -> Any:
        with self.lock:
            return records.insisting(self.here, call)

"""Short runs that a worker takes together, executes one after the other and records together.

One commit for several runs is what makes short runs fast. Little is less certain for it: what was
executed and what was not stands on the board, so that when the worker ends, the bookkeeper records
what it did and gives back what it did not start; when a body turns out to be long, the dispatcher
does the same while it executes. Where a queue has a limit, one run of each of several concurrency
keys is taken: each holds a slot of its own. Only runs that were never claimed before are executed
before their start is recorded; that goes for the first run a worker is given as well, so an idle
cluster enters a body a commit earlier. Only a whole cluster that is killed at once takes the board
with it: bodies it entered and had not recorded (those of its last milliseconds, of the last second on
an overloaded machine) are executed again as if they had not begun, and are recorded first then.
"""

import time
from collections import deque
from collections.abc import Sequence

from engine.cluster.board import OUTPUT, TOGETHER, Board, Slot, State
from engine.cluster.locks import Locks
from runs import conf
from runs.lifecycle import attempts, store
from runs.models import Lease

MILLISECOND = 1_000_000
#: How long all bodies of one group are expected to take.
LENGTH = 4 * MILLISECOND
#: After this long in one body its worker is relieved of all other runs.
LONG = 10 * MILLISECOND
#: After this long an end is recorded, whatever else there is to do.
OLD = 10 * MILLISECOND
#: After this long nothing is started that was taken before: the lease may be lost by now.
STALE = 1000 * MILLISECOND
#: Tells the dispatcher that there may be somebody to relieve.
TAKEN = b"taken"
GIVEN_BACK = "The run before it on its worker took long; another worker will take it."


class Pace:
    """How long bodies take here, the longest of the last ones."""

    def __init__(self) -> None:
        self.length = float(LENGTH)

    def note(self, nanoseconds: int) -> None:
        self.length = max(float(nanoseconds), self.length * 0.7)

    @property
    def most(self) -> int:
        """How many runs to take together."""
        fitting = int(LENGTH / max(self.length, 1.0))
        return max(1, min(fitting, TOGETHER, int(conf.get("TOGETHER_RUNS"))))


class Group:
    """The worker's view: what it may start next, and what is not recorded yet."""

    def __init__(self, slot: Slot, locks: Locks, index: int) -> None:
        self.slot, self.locks, self.index = slot, locks, index
        self.works: deque[store.Assignment] = deque()
        self.done: list[store.Done] = []
        self.taken_at = 0

    def fill(self, works: Sequence[store.Assignment], asked_at: int) -> None:
        """Put on the board what was taken with a call made at `asked_at`.

        Nothing of the last group is left when this is called.
        """
        assert len(works) <= TOGETHER, works
        with self.locks.held(self.index):
            slot = self.slot
            slot.size = slot.recorded = 0
            for cell, work in zip(slot.cells, works, strict=False):
                cell.run, cell.token = work.run_id.encode(), work.token.encode()
                cell.began, cell.ended, cell.output = 0, 0, b""
            slot.at, slot.entered = -1, 0  # whatever was entered is not of this group
            slot.number += 1
            slot.size = len(works)
        self.works, self.taken_at = deque(works), asked_at

    @property
    def coming(self) -> store.Assignment | None:
        """What `next` most likely returns."""
        return self.works[0] if self.works else None

    def next(self) -> store.Assignment | None:
        """The next that is to be started; None when there is none, or it was taken away."""
        if not self.works:
            return None
        with self.locks.held(self.index):
            if self.slot.at + 1 >= self.slot.size:
                self.works.clear()
                return None
            self.slot.at += 1
        return self.works.popleft()

    def note(self, done: store.Done) -> None:
        """Keep an end that is to be recorded, on the board too as far as it fits."""
        self.done.append(done)
        if self.fits(done):
            cell = self.slot.cells[self.slot.at]
            cell.output = (done.output or "").encode()
            cell.began, cell.ended = done.began, done.ended

    def fits(self, done: store.Done) -> bool:
        return len(done.output or "") <= OUTPUT

    @property
    def is_due(self) -> bool:
        """Whether to record before anything else is executed."""
        return not self.fits(self.done[-1]) or time.monotonic_ns() - self.done[0].ended > OLD

    @property
    def is_stale(self) -> bool:
        return time.monotonic_ns() - self.taken_at > STALE

    def recorded(self) -> None:
        """All ends are in the database."""
        self.done.clear()
        with self.locks.held(self.index):
            self.slot.recorded = min(self.slot.at + 1, self.slot.size)

    def give_back(self) -> list[tuple[str, str]]:
        """Run id and token of what was not started and is to be given back; nobody else does now."""
        self.works.clear()
        return take_away(self.slot, self.locks, self.index)


def take_away(slot: Slot, locks: Locks, index: int) -> list[tuple[str, str]]:
    """Keep the worker from starting what is ahead of it."""
    with locks.held(index):
        ahead = slot.ahead
        slot.size = min(slot.size, slot.at + 1)
    return ahead


def release(opened: store.Store, leases: Sequence[tuple[str, str]], reason: str) -> None:
    """Hand runs back that were taken and not entered; where their start is on record it does not count."""
    if not leases:
        return
    known = Lease.objects.filter(run_id__in=[run_id for run_id, _ in leases])
    begun = set(known.filter(started_at__isnull=False).values_list("run_id", "token"))
    with opened.at_once():
        for run_id, token in leases:
            started = (run_id, token) in begun
            opened.finish(attempts.release(run_id, token, reason, started=started))


class Relief:
    """The dispatcher's duty for workers whose body turns out to be long."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def is_needed(self) -> bool:
        """Whether some worker may have to be relieved soon."""
        return any(map(has_more, self.board))

    def give(self, opened: store.Store) -> None:
        """Relieve every worker that needs it."""
        for index, slot in enumerate(self.board):
            if has_more(slot) and is_late(slot):
                self.relieve(opened, index)

    def relieve(self, opened: store.Store, index: int) -> None:
        """Record what this worker did, give back what it has not started."""
        slot, locks = self.board.slots[index], self.board.locks
        ahead = take_away(slot, locks, index)
        with locks.held(index):
            number, at, done = slot.number, slot.at, slot.done
            lease, entered, pid = slot.lease, slot.entered, slot.pid
        opened.version = slot.version.decode()
        if done:
            opened.turn(done, store.Next.NONE, 1, pid)
        if entered:
            opened.start(*lease, pid, entered)
            slot.begun = lease[1].encode()
        release(opened, ahead, GIVEN_BACK)
        with locks.held(index):
            if slot.number == number:
                slot.recorded = max(slot.recorded, at)

    def take_back(self, opened: store.Store, run_id: str) -> None:
        """Give back a run that some worker took and has not started."""
        for index, slot in enumerate(self.board):
            if any(run_id == ahead for ahead, _ in slot.ahead):
                self.relieve(opened, index)


def is_late(slot: Slot) -> bool:
    """Whether its body takes long; one that is recorded just now has ended."""
    now = time.monotonic_ns()
    is_writing = slot.writing > now - STALE
    return bool(0 < slot.entered < now - LONG and not is_writing)


def has_more(slot: Slot) -> bool:
    """Whether the worker has anything to take off it besides the body that executes."""
    unknown = slot.entered and not slot.is_begun
    return bool(
        slot.state == State.ASSIGNED
        or slot.size > slot.at + 1
        or slot.recorded < slot.at
        or unknown
    )

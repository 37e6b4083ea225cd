"""A run that waits: its body stays where it is while its worker has nothing else to do.

For everybody else the run waits like any other: it is WAITING, holds no slot, and goes on when
somebody takes it. Where that is this very worker, as it is while nothing else is more urgent, its
body returns from the call it is in and repeats nothing; so the thousandth wait costs what the first
one did. Runs that it waits for may be executed above it; until one comes, see `lodging`. Where
something else comes before it, the body is left as if it had been left at once, and the run goes on
from the top of its function, here or elsewhere.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import timezone

from engine.cluster.board import State
from engine.cluster.endings import assignment_of, measure, memory_of
from engine.cluster.keeping import RunKeeper
from engine.cluster.place import Place
from engine.cluster.processes import has_children, resident
from engine.cluster.tidying import are_usable, connected
from engine.cluster.variables import is_behind
from engine.execution import interrupts
from engine.sdk.keeper import Spot
from runs import conf
from runs.journal import Pause
from runs.lifecycle import store

#: Bodies that stay in one process at most, each in the wait of the one before.
MOST = 4
#: Databases may have closed connections that were not used for so many seconds.
QUIET = 1.0


def is_possible(here: Place, pause: Pause, spot: Spot) -> bool:
    """Whether the body may stay on the stack below whatever is executed next."""
    return (
        may_be_short(pause)
        and here.lodgers < MOST
        and not here.group.works
        and not has_children()
        and spot.is_quiet
        and has_room(here)
    )


def may_be_short(pause: Pause) -> bool:
    """Whether the run may be back before the body would have to be left."""
    if pause.unborn is not None and len(pause.unborn.ids) == 1:
        return True
    longest = float(conf.get("STAY_SECONDS"))
    if pause.due is None or pause.targets:
        return longest > 0
    return (pause.due - timezone.now()).total_seconds() < longest


def has_room(here: Place) -> bool:
    """Whether what the body holds leaves a child of the smallest machine in use the memory it may use."""
    least = min(here.slot.memory, memory_of(str(conf.get("MACHINE"))))
    return not least or resident(os.getpid()) * 2 < least


class Stay:
    """One wait of a body that stays."""

    def __init__(self, here: Place, keeper: RunKeeper, pause: Pause, spot: Spot) -> None:
        self.here, self.keeper, self.pause, self.spot = here, keeper, pause, spot
        self.run_id = keeper.work.run_id
        self.connected, self.since = connected(), time.monotonic()
        #: It has been here while its worker was free.
        self.is_lodger = False

    @contextmanager
    def apart(self) -> Iterator[None]:
        """While its run waits."""
        here, slot = self.here, self.here.slot
        self.time_left = slot.deadline - time.monotonic_ns() if slot.deadline else 0
        slot.deadline = 0
        here.ended = time.monotonic_ns()
        here.pace.note(here.ended - here.began)
        here.lines.end()
        self.listener = interrupts.hush()
        here.lodgers += 1
        self.keeper.is_lodging = True
        try:
            yield
        finally:
            here.lodgers -= 1
            self.keeper.is_lodging = False
            here.lines.begin(self.run_id, self.keeper.work.attempt)

    def is_child(self, work: store.Assignment | None) -> bool:
        """Whether a run is one it waits for."""
        return work is not None and work.parent_id == self.run_id

    def has_ended(self, work: store.Assignment | None) -> bool:
        """Whether the body may go on with this: its own run, and nothing it uses was taken from it."""
        if work is None or work.run_id != self.run_id:
            return False
        now = connected()
        has_all = all(now.get(alias) is known for alias, known in self.connected.items())
        return has_all and (not self.is_lodger or self.is_up_to_date(work))

    def is_up_to_date(self, work: store.Assignment) -> bool:
        """Whether all is as the body left it, though there was time for changes."""
        if work.attempt != self.keeper.work.attempt or is_behind(self.here):
            return False
        if time.monotonic() - self.since > QUIET and not are_usable():
            return False
        return self.keeper.has_left_last(self.pause.targets)

    def go_on(self, work: store.Assignment) -> None:
        """Its run is on the slot again."""
        here, slot = self.here, self.here.slot
        measure(slot, work)
        slot.entered = here.began = time.monotonic_ns()
        slot.deadline = here.began + self.time_left if self.time_left else 0
        here.keeper = self.keeper
        if not self.keeper.has_left:  # what it waits for was there already
            self.keeper.note(self.pause.entries)
        self.keeper.come_back(work, here.began)
        self.spot.come_back(assignment_of(work))
        interrupts.resound(self.listener)

    def give_up(self) -> None:
        """The run has left for good, and its body follows."""
        self.keeper.is_gone = True
        self.keeper.keep()
        if self.is_lodger:
            self.move_out()
        slot = self.here.slot
        if slot.state == State.RUNNING:
            slot.entered = time.monotonic_ns()
            slot.deadline = time.monotonic_ns() + self.time_left if self.time_left else 0

    def move_out(self) -> None:
        """The worker is busy with the end of this body, unless it was promised a run meanwhile."""
        here, slot = self.here, self.here.slot
        with here.board.locks.held(here.index):
            slot.lodger = b""
            if slot.state != State.ASSIGNED or here.group.works:
                lease, attempt = self.keeper.lease, self.keeper.work.attempt
                slot.assign(*lease, attempt, State.RUNNING, begun=True)

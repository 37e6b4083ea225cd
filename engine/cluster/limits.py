"""What the sentinel holds a worker to: its time, its memory, and an answer when asked to stop."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import Process

from engine.cluster.board import Ask, Board, Seat, Slot, State
from engine.cluster.processes import kill_tree, memory_of
from engine.sdk.machines import PRESETS
from engine.sdk.machines import memory_of as memory_of_machine
from runs import conf

#: Seconds between two looks at the memory of a run.
MEMORY_ROUND = 0.25
#: Runs younger than this many seconds are not measured.
YOUNG = 0.2
#: Seconds a worker that was asked to hand its run back gets before it is killed.
SHUTDOWN_GRACE = 3.0
SECOND = 1_000_000_000
LARGEST = list(PRESETS)[-1]


class Limits:
    """Asks first, kills after the grace; memory is not argued about."""

    def __init__(self) -> None:
        self.measured_at = 0.0

    def enforce(self, process: Process, slot: Seat) -> None:
        """Ask for what is due, kill what was asked and did not stop in its grace."""
        now, token = time.monotonic_ns(), slot.token
        if slot.state == State.RUNNING and slot.deadline and now >= slot.deadline:
            ask(slot, Ask.TIMEOUT, token)
        if slot.is_busy and slot.is_asked and now >= slot.asked_at + grace_of(slot):
            kill(process, slot, Ask(slot.ask), token)

    def measure(self, working: Iterable[tuple[Process, Slot]]) -> None:
        """Kill runs that use more memory than their machine preset has, and imports that grow on."""
        if time.monotonic() - self.measured_at < MEMORY_ROUND:
            return
        self.measured_at = time.monotonic()
        for process, slot in working:
            token = slot.token
            if exceeds(process, slot):
                kill(process, slot, Ask.MEMORY, token)


def exceeds(process: Process, slot: Slot) -> bool:
    """Whether it uses more than it may; not for certain while runs come and go, so then not yet."""
    since, most = slot.since, slot.memory
    if not is_measured(slot) or memory_of(process.pid or 0) <= most:
        return False
    return (slot.since, slot.memory) == (since, most)


def is_measured(slot: Slot) -> bool:
    """Whether the slot's run or import has a memory limit and is past its first moments."""
    old = time.monotonic_ns() - slot.since > YOUNG * SECOND
    return slot.state in (State.STARTING, State.RUNNING, State.OPEN) and bool(slot.memory) and old


def import_memory() -> int:
    """Bytes a worker may use to import the tasks: what the largest preset has, or most of the host's."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(memory_of_machine(LARGEST), installed * 4 // 5)


def ask(slot: Seat, why: Ask, token: bytes) -> None:
    """Tell the worker's signal handler that the run with this token should stop.

    A worker that went on to another run is left alone, and one that has died needs no word.
    """
    if slot.ask_to_stop(why, token) and slot.pid:
        with suppress(ProcessLookupError):
            os.kill(slot.pid, signal.SIGUSR1)


def cancel(board: Board, run_id: str) -> bool:
    """Ask the run to stop; False when it is not here."""
    slot = board.slot_of(run_id)
    if slot is None:
        return False
    token = slot.token
    if slot.run == run_id.encode():  # else it has just left
        ask(slot, Ask.CANCEL, token)
    return True


def kill(process: Process, slot: Seat, why: Ask, token: bytes) -> None:
    """End a worker and everything below it; the slot says for what, and for which run."""
    slot.killed, slot.asked_token = why, token
    kill_tree(process.pid or 0)
    process.join(1)


def grace_of(slot: Seat) -> int:
    """Nanoseconds between the request and the kill."""
    seconds = {
        Ask.CANCEL: float(conf.get("CANCEL_GRACE_SECONDS")),
        Ask.TIMEOUT: float(conf.get("TIMEOUT_GRACE_SECONDS")),
        Ask.SHUTDOWN: SHUTDOWN_GRACE,
    }.get(Ask(slot.ask), 0.0)
    return int(seconds * SECOND)


def next_look(slots: Iterable[Seat], longest: float) -> float:
    """Seconds until the next of their deadlines, at most `longest`."""
    now, due = time.monotonic_ns(), [int(longest * SECOND)]
    for slot in slots:
        if slot.state == State.RUNNING and slot.deadline:
            due.append(slot.deadline - now)
        if slot.is_asked:
            due.append(slot.asked_at + grace_of(slot) - now)
        if slot.is_busy or slot.state == State.STARTING:
            due.append(int(MEMORY_ROUND * SECOND))
    return max(min(due), 1_000_000) / SECOND

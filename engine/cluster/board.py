"""What each worker is doing, in memory shared by all processes of one cluster.

Each field has one writer at a time, so there is no lock that a killed process could keep.
"""

import ctypes
import mmap
import os
import time
from collections.abc import Iterator
from enum import IntEnum
from typing import TYPE_CHECKING

from engine.leftout import LeftOut


class State(IntEnum):
    #: No process, or one that is about to end.
    GONE = 0
    #: Importing tasks, connecting.
    STARTING = 1
    FREE = 2
    #: The dispatcher gave it a run; it has not started it.
    ASSIGNED = 3
    RUNNING = 4


class Ask(IntEnum):
    """Why a worker is asked to stop its run, in rising order of precedence."""

    NOTHING = 0
    SHUTDOWN = 1
    CANCEL = 2
    TIMEOUT = 3
    #: Killed at once.
    MEMORY = 4


class Stop(IntEnum):
    NO = 0
    #: Claim nothing more, let runs finish for the grace.
    DRAIN = 1
    NOW = 2


class Slot(ctypes.Structure):
    """One worker. Times are CLOCK_MONOTONIC nanoseconds, 0 for none."""

    _fields_ = [
        ("pid", ctypes.c_int64),
        ("state", ctypes.c_int64),
        ("run", ctypes.c_char * 32),
        ("token", ctypes.c_char * 40),
        ("attempt", ctypes.c_int64),
        ("since", ctypes.c_int64),
        #: When max_duration is over.
        ("deadline", ctypes.c_int64),
        #: Bytes the run may use.
        ("memory", ctypes.c_int64),
        ("ask", ctypes.c_int64),
        ("asked_at", ctypes.c_int64),
        ("asked_run", ctypes.c_char * 32),
        #: What the sentinel killed it for.
        ("killed", ctypes.c_int64),
        #: The task file it is importing, at most PATH_MAX.
        ("importing", ctypes.c_char * 4096),
    ]

    if TYPE_CHECKING:
        pid: int
        state: int
        run: bytes
        token: bytes
        attempt: int
        since: int
        deadline: int
        memory: int
        ask: int
        asked_at: int
        asked_run: bytes
        killed: int
        importing: bytes

    @property
    def run_id(self) -> str:
        return bytes(self.run).decode()

    @property
    def is_busy(self) -> bool:
        return self.state in (State.ASSIGNED, State.RUNNING)

    @property
    def is_asked(self) -> bool:
        """Asked to stop the very run it is on."""
        return bool(self.ask) and self.asked_run == self.run

    def assign(self, run_id: str, token: str, attempt: int, state: State) -> None:
        """Put a run on the slot. The state goes last: whoever sees it sees the rest."""
        self.run, self.token, self.attempt = run_id.encode(), token.encode(), attempt
        self.since, self.deadline, self.memory = time.monotonic_ns(), 0, 0
        self.state = state

    def clear(self, state: State) -> None:
        """Take the run off the slot."""
        self.state = state
        self.run, self.token, self.deadline = b"", b"", 0

    def announce(self, path: str) -> None:
        """Note the task file to blame if the process ends now; empty for none."""
        self.importing = os.fsencode(path)

    def ask_to_stop(self, why: Ask) -> bool:
        """Leave a request for the worker's signal handler; False when a stronger one stands."""
        if self.is_asked and self.ask >= why:
            return False
        self.asked_run, self.asked_at = self.run, time.monotonic_ns()
        self.ask = why
        return True


class Head(ctypes.Structure):
    _fields_ = [
        ("stop", ctypes.c_int64),
        #: The session was reaped: its workers must die, a new session begins.
        ("fenced", ctypes.c_int64),
        #: When the sentinel last looked around.
        ("tick", ctypes.c_int64),
        #: Final hooks are due: a worker that changes buckets becomes free for them.
        ("owed", ctypes.c_int64),
        ("session", ctypes.c_char * 48),
    ]


class Board:
    """The head and one `Slot` for each worker, in an anonymous shared mapping.

    Who the cluster is never changes, so every process has a copy of it; a worker's copy of the files
    to leave out is the sentinel's at the fork.
    """

    def __init__(self, slots: int, name: str = "default", version: str = "") -> None:
        self.name, self.version, self.main = name, version, os.getpid()
        self.left_out = LeftOut()
        size = ctypes.sizeof(Head) + slots * ctypes.sizeof(Slot)
        self.memory = mmap.mmap(-1, size)
        self.head = Head.from_buffer(self.memory)
        self.slots = (Slot * slots).from_buffer(self.memory, ctypes.sizeof(Head))

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots)

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def session_id(self) -> str:
        return bytes(self.head.session).decode()

    @session_id.setter
    def session_id(self, value: str) -> None:
        self.head.session = value.encode()

    def free(self) -> list[int]:
        """Indexes of the workers that can take a run now."""
        return [index for index, slot in enumerate(self) if slot.state == State.FREE]

    def slot_of(self, run_id: str) -> Slot | None:
        """The worker that has the run."""
        wanted = run_id.encode()
        return next((slot for slot in self if slot.is_busy and slot.run == wanted), None)

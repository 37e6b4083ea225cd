"""What stands on the board about one run and about one worker."""

import ctypes
import os
import time
from enum import IntEnum
from typing import TYPE_CHECKING

from runs.lifecycle.store import Done

#: Most runs a worker takes together.
TOGETHER = 32
#: Bytes of a version: 64 characters.
VERSION = 256
#: Bytes of the set of queues that have a limit.
LIMITED = 512
#: Bytes of a return value that wait to be recorded with others.
OUTPUT = 1024


class State(IntEnum):
    #: No process, or one that is about to end.
    GONE = 0
    #: Importing tasks, connecting.
    STARTING = 1
    FREE = 2
    #: The dispatcher gave it a run; it has not started it.
    ASSIGNED = 3
    RUNNING = 4
    #: Of the process that many runs share: it takes runs, which have seats.
    OPEN = 5


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


class Cell(ctypes.Structure):
    """One of the runs a worker took together. Times are CLOCK_MONOTONIC nanoseconds."""

    _fields_ = [
        ("run", ctypes.c_char * 32),
        ("token", ctypes.c_char * 40),
        ("began", ctypes.c_int64),
        #: When its body returned; 0 while it did not.
        ("ended", ctypes.c_int64),
        #: What the body returned, as JSON text; empty for nothing.
        ("output", ctypes.c_char * OUTPUT),
    ]

    if TYPE_CHECKING:
        run: bytes
        token: bytes
        began: int
        ended: int
        output: bytes

    @property
    def lease(self) -> tuple[str, str]:
        """Run id and token."""
        return bytes(self.run).decode(), bytes(self.token).decode()

    @property
    def done(self) -> Done:
        return Done(*self.lease, bytes(self.output).decode() or None, self.began, self.ended)


class Seat(ctypes.Structure):
    """Room for one run at a time. Times are CLOCK_MONOTONIC nanoseconds, 0 for none."""

    _fields_ = [
        ("pid", ctypes.c_int64),
        ("state", ctypes.c_int64),
        ("run", ctypes.c_char * 32),
        ("token", ctypes.c_char * 40),
        ("attempt", ctypes.c_int64),
        ("since", ctypes.c_int64),
        #: When the body of its run was entered.
        ("entered", ctypes.c_int64),
        #: The token whose start is recorded.
        ("begun", ctypes.c_char * 40),
        #: When max_duration is over.
        ("deadline", ctypes.c_int64),
        #: Bytes the run may use.
        ("memory", ctypes.c_int64),
        ("ask", ctypes.c_int64),
        ("asked_at", ctypes.c_int64),
        #: The lease for which it was asked, or killed: a run that follows is not meant.
        ("asked_token", ctypes.c_char * 40),
        #: What the sentinel killed it for.
        ("killed", ctypes.c_int64),
        #: Stands for the queue of its run: see `trust`.
        ("queue", ctypes.c_int64),
        #: Of the code its process has imported.
        ("version", ctypes.c_char * VERSION),
    ]

    if TYPE_CHECKING:
        pid: int
        state: int
        run: bytes
        token: bytes
        attempt: int
        since: int
        entered: int
        begun: bytes
        deadline: int
        memory: int
        ask: int
        asked_at: int
        asked_token: bytes
        killed: int
        queue: int
        version: bytes

    @property
    def run_id(self) -> str:
        return bytes(self.run).decode()

    @property
    def is_busy(self) -> bool:
        return self.state in (State.ASSIGNED, State.RUNNING)

    @property
    def is_asked(self) -> bool:
        """Asked to stop the very run it is on."""
        return bool(self.ask) and self.asked_token == self.token

    @property
    def done(self) -> list[Done]:
        """Bodies that returned and are not recorded yet."""
        return []

    @property
    def left(self) -> list[tuple[str, str]]:
        """Run id and token of those its process, which ended, took and did not start."""
        return []

    @property
    def lease(self) -> tuple[str, str]:
        """Run id and token of the run it is on."""
        return self.run_id, bytes(self.token).decode()

    @property
    def leases(self) -> set[tuple[str, str]]:
        """Run id and token of everything it holds."""
        held = {(done.run_id, done.token) for done in self.done}
        return held | set(self.left) | ({self.lease} if self.is_busy else set())

    @property
    def is_begun(self) -> bool:
        return self.begun == self.token

    def assign(
        self, run_id: str, token: str, attempt: int, state: State, *, begun: bool = False
    ) -> None:
        """Put a run on the slot. The state goes last: whoever sees it sees the rest.

        What the run before was held to goes first: whoever sees the token sees none of it.
        """
        self.since, self.deadline, self.memory, self.entered = time.monotonic_ns(), 0, 0, 0
        self.run, self.token, self.attempt = run_id.encode(), token.encode(), attempt
        self.queue, self.begun = 0, self.token if begun else b""
        self.state = state

    def clear(self, state: State) -> None:
        """Take the run off the slot."""
        self.state = state
        self.run, self.token, self.deadline, self.entered = b"", b"", 0, 0

    def ask_to_stop(self, why: Ask, token: bytes) -> bool:
        """Leave a request for the worker's signal handler.

        False when a stronger one stands, or the slot went on from the run with this token.
        """
        if token != self.token or (self.is_asked and self.ask >= why):
            return False
        self.asked_token = b""
        self.ask, self.asked_at = why, time.monotonic_ns()
        self.asked_token = token
        return True


class Slot(Seat):
    """One worker: a seat, and the short runs it took together.

    `cells` are those, `size` of them; it is at the one with the index `at`, and the ends of those
    before `recorded` are in the database.
    """

    _fields_ = [
        #: The task file it is importing, at most PATH_MAX.
        ("importing", ctypes.c_char * 4096),
        ("cells", Cell * TOGETHER),
        ("size", ctypes.c_int64),
        ("at", ctypes.c_int64),
        ("recorded", ctypes.c_int64),
        #: Counts what was taken together, to see that it is still the same.
        ("number", ctypes.c_int64),
        #: Since when it records ends, and takes what is next.
        ("writing", ctypes.c_int64),
        #: The revision of the environment variables its code was imported with, and when.
        ("variables", ctypes.c_int64),
        ("loaded_at", ctypes.c_int64),
        #: The run that waits while its body stays here: see `lodging`.
        ("lodger", ctypes.c_char * 32),
    ]

    if TYPE_CHECKING:
        importing: bytes
        cells: list[Cell]
        size: int
        at: int
        recorded: int
        number: int
        writing: int
        variables: int
        loaded_at: int
        lodger: bytes

    @property
    def done(self) -> list[Done]:
        """Bodies that returned and are not recorded yet."""
        cells = (self.cells[index] for index in range(self.recorded, min(self.at + 1, self.size)))
        return [cell.done for cell in cells if cell.ended]

    @property
    def ahead(self) -> list[tuple[str, str]]:
        """Run id and token of those that were taken and come after the one it is at."""
        return [self.cells[index].lease for index in range(self.at + 1, self.size)]

    @property
    def left(self) -> list[tuple[str, str]]:
        """Run id and token of those its process, which ended, took and did not start."""
        cells = [self.cells[index] for index in range(max(self.at, 0), self.size)]
        return [cell.lease for cell in cells if not cell.ended and cell.run != self.run]

    def vacate(self) -> None:
        """Forget what its last process took."""
        self.size = self.at = self.recorded = 0
        self.lodger = b""
        self.clear(State.GONE)

    def announce(self, path: str) -> None:
        """Note the task file to blame if the process ends now; empty for none."""
        self.importing = os.fsencode(path)

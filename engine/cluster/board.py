"""What each worker is doing, in memory shared by all processes of one cluster.

Each field has one writer at a time; where it changes, the kernel's file locks say who, and a killed
process keeps none of them.
"""

import ctypes
import mmap
import os
from collections.abc import Iterator, Sequence

from engine.cluster.locks import Locks
from engine.cluster.slots import (
    LIMITED,
    OUTPUT,
    TOGETHER,
    VERSION,
    Ask,
    Cell,
    Seat,
    Slot,
    State,
    Stop,
)
from engine.leftout import LeftOut
from runs.lifecycle.store import Claim

__all__ = [
    "OUTPUT",
    "TOGETHER",
    "VERSION",
    "Ask",
    "Board",
    "Cell",
    "Head",
    "Locks",
    "Seat",
    "Slot",
    "State",
    "Stop",
]


class Head(ctypes.Structure):
    _fields_ = [
        ("stop", ctypes.c_int64),
        #: The session was reaped: its workers must die, a new session begins.
        ("fenced", ctypes.c_int64),
        #: When the sentinel last looked around.
        ("tick", ctypes.c_int64),
        #: Final hooks are due: a worker that changes buckets becomes free for them.
        ("owed", ctypes.c_int64),
        #: What a heavy run waits for, as `store.Waits` has it: workers become free for it.
        ("heavy", ctypes.c_int64),
        #: The dispatcher looks every few milliseconds for workers to relieve.
        ("watching", ctypes.c_int64),
        #: Some task is an `async def`: the process that their runs share is wanted.
        ("sharing", ctypes.c_int64),
        #: One more than the seat whose code the event loop is in, 0 for none, and since when.
        ("stepping", ctypes.c_int64),
        ("stepping_since", ctypes.c_int64),
        #: A person told the cluster to take nothing more for now.
        ("drained", ctypes.c_int64),
        #: The revision of the environment variables that new runs get.
        ("variables", ctypes.c_int64),
        #: Until when nobody can have declared the session lost; see `trust`.
        ("sure_until", ctypes.c_int64),
        #: Queues that have a limit.
        ("limited", ctypes.c_uint8 * LIMITED),
        ("session", ctypes.c_char * 48),
        #: Of the code that new runs are taken for.
        ("version", ctypes.c_char * VERSION),
    ]


class Board:
    """The head, one `Slot` for each worker, and the seats, in an anonymous shared mapping.

    The last slot is the host's: the process that runs of `async def` tasks share, each of them with
    a seat of its own. Looking through the board means the workers; `taken` are all places.

    Who the cluster is never changes, so every process has a copy of it; a worker's copy of the files
    to leave out is the sentinel's at the fork.
    """

    def __init__(
        self, slots: int, name: str = "default", version: str = "", seats: int = 0
    ) -> None:
        self.name, self.main = name, os.getpid()
        self.left_out = LeftOut()
        self.locks = Locks()
        workers, rows = Slot * (slots + 1), Seat * seats
        at = ctypes.sizeof(Head) + ctypes.sizeof(workers)
        self.memory = mmap.mmap(-1, at + ctypes.sizeof(rows))
        self.head = Head.from_buffer(self.memory)
        self.slots = workers.from_buffer(self.memory, ctypes.sizeof(Head))
        self.seats: Sequence[Seat] = list(rows.from_buffer(self.memory, at)) if seats else []
        self.workers = slots
        self.head.version = version.encode()

    def __iter__(self) -> Iterator[Slot]:
        return (self.slots[index] for index in range(self.workers))

    def __len__(self) -> int:
        return self.workers

    @property
    def host(self) -> Slot:
        """The slot of the process that many runs share."""
        slot: Slot = self.slots[self.workers]
        return slot

    @property
    def taken(self) -> list[Seat]:
        """Every place that may hold a run: workers, and seats where they are in use."""
        return [*self, *(self.seats if self.head.sharing else ())]

    @property
    def session_id(self) -> str:
        return bytes(self.head.session).decode()

    @session_id.setter
    def session_id(self, value: str) -> None:
        self.head.session = value.encode()

    @property
    def version(self) -> str:
        return bytes(self.head.version).decode()

    def free(self) -> list[int]:
        """Indexes of the workers that can take a run now; last those where a body stays."""
        version = self.head.version
        found = [
            index
            for index, slot in enumerate(self)
            if slot.state == State.FREE and slot.version == version
        ]
        found.sort(key=lambda index: bool(self.slots[index].lodger))
        return found

    def assign(self, index: int, lease: tuple[str, str, int]) -> bool:
        """Promise this worker a run: id, token and attempt; False when it is not free any more."""
        with self.locks.held(index):
            slot: Slot = self.slots[index]
            if slot.state != State.FREE:
                return False
            slot.assign(*lease, State.ASSIGNED)
            return True

    def matched(self, free: Sequence[int], claims: Sequence[Claim]) -> list[tuple[int, Claim]]:
        """Who takes which: a run whose body stays with a worker goes there, no other if possible."""
        at_home = {self.slots[index].lodger.decode(): index for index in free}
        homes = [at_home.get(claim.run_id) for claim in claims]
        others = iter([index for index in free if index not in homes])
        pairs = zip(homes, claims, strict=True)
        return [(next(others) if home is None else home, claim) for home, claim in pairs]

    def slot_of(self, run_id: str) -> Seat | None:
        """Where the run is."""
        wanted = run_id.encode()
        return next((slot for slot in self.taken if slot.is_busy and slot.run == wanted), None)

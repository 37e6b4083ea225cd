"""What a store does, and the values that go in and out."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple, Self

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from runs.journal import Pause
from runs.lifecycle.store.endings import Ending
from runs.lifecycle.store.remembering import Remembering
from runs.models import Lane


class SessionLost(Exception):
    """The worker session is no longer alive: its leases were taken back, it must stop."""


class Claim(NamedTuple):
    """A run a session holds the lease of, not started yet."""

    run_id: str
    token: str
    attempt: int


class Assignment(NamedTuple):
    """Everything a worker needs to execute one attempt."""

    run_id: str
    task_id: str
    token: str
    attempt: int
    payload: str | None
    tags: str
    is_test: bool
    queue: str
    concurrency_key: str | None
    priority: float
    max_attempts: int
    uncounted_attempts: int
    max_duration: float | None
    machine: str
    version: str
    created_at: datetime
    started_at: datetime
    parent_id: str | None
    root_id: str | None
    replayed_from_id: str | None
    idempotency_key: str | None
    idempotency_scope: str
    metadata: str | None
    traceparent: str | None
    tracestate: str | None
    batch_id: str | None
    #: Its attempt comes back from a wait.
    resumed: bool
    #: Its start is recorded: it is EXECUTING.
    begun: bool
    #: It was claimed before, and given back or lost.
    retaken: bool


#: What in an assignment is not a column of `runs_run` by the same name.
ELSEWHERE = {
    "run_id": "r.id",
    "token": "l.token",
    "attempt": "l.attempt",
    "resumed": "r.waited_attempt = l.attempt",
    "begun": "l.started_at IS NOT NULL",
    "retaken": "r.started_at < l.claimed_at",
}
ASSIGNMENT_COLUMNS = ", ".join(ELSEWHERE.get(name, f"r.{name}") for name in Assignment._fields)


class Next(IntEnum):
    """What to take in the same statement that finishes a run."""

    NONE = 0
    #: The same bucket first: slot inheritance.
    SAME = 1
    ANY = 2
    #: The run that waited for the one that ends, then as SAME.
    HEIR = 3


class Waits(IntEnum):
    """What a heavy run that this cluster is large enough for waits for."""

    NOTHING = 0
    #: A free worker, or room since a short while.
    WORKER = 1
    #: Room, and for so long that the cluster holds back: it takes nothing else.
    ROOM = 2


class Pressure(NamedTuple):
    """How claims of a session stand: whether they are weighed, and what a heavy run waits for."""

    weighs: bool
    waits: Waits


class Done(NamedTuple):
    """A body that returned: `output` is JSON text, the moments are CLOCK_MONOTONIC nanoseconds."""

    run_id: str
    token: str
    output: str | None
    began: int
    ended: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What a worker goes on with, and which of the runs it answered for had been taken back."""

    works: list[Assignment]
    lost: list[str]


@dataclass(frozen=True, slots=True)
class Finished:
    """`won`: this end (or an earlier try of the same write) is the recorded one."""

    won: bool
    next: Assignment | None = None


class Suspended(NamedTuple):
    """What became of a run at a wait, by `outcome`.

    "waiting" and "canceled": it left its worker. "ready": there is nothing to wait for, its body is
    to go on at once. "lost": its lease was taken back.
    """

    outcome: str
    next: Assignment | None = None


class Bucket(NamedTuple):
    """Where new runs stand: a queue and, hashed too, one of its concurrency keys."""

    queue: str
    queue_id: int
    concurrency_key: str | None
    key_hash: str

    @property
    def place(self) -> tuple[int, str]:
        return self.queue_id, self.key_hash


Rows = list[tuple[Any, ...]]


class Store(Remembering):
    """The statements every run costs.

    `version` is that of the code which executes what is recorded here; runs are locked to that of
    their first start. Empty where nothing is executed.
    """

    #: What is claimed and taken here.
    lanes: tuple[Lane, ...] = (Lane.ALONE, Lane.SHARED)

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.version = ""

    @classmethod
    def over(cls, connection: BaseDatabaseWrapper) -> Self:
        return cls(connection)

    @classmethod
    def separate(cls) -> "Store":
        return cls(connections.create_connection("default"))

    def keep_to(self, lane: Lane) -> None:
        """Claim and take runs of this lane only."""
        self.lanes = (lane,)

    def at_once(self) -> AbstractContextManager[None]:
        """What is written in it is one commit where writers take turns."""
        return nullcontext()

    def close(self) -> None:
        self.connection.close()

    def warm_up(self) -> None:
        """Connect and plan, so that the first run does not wait for it."""
        self.claimable()

    @abstractmethod
    def insert(
        self,
        common: dict[str, Any],
        runs: Sequence[dict[str, Any]],
        buckets: Sequence[Bucket],
        tags: Sequence[dict[str, Any]],
    ) -> None:
        """Store new runs with events, tags, buckets and ready rows, all or nothing.

        `common` has the columns all of them share, `runs` the others of each. `buckets` are those
        the queued and delayed ones stand in, in the order of their places.
        """

    @abstractmethod
    def claim(self, session_id: str, slots: int) -> list[Claim]:
        """Up to `slots` runs, now DEQUEUED and leased to the session. Raises SessionLost."""

    @abstractmethod
    def claim_started(self, session_id: str, slots: int, pid: int) -> list[Assignment]:
        """Up to `slots` runs, EXECUTING in process `pid`; one commit. Raises SessionLost."""

    @abstractmethod
    def held_by(self, session_id: str, pid: int) -> list[Assignment]:
        """What this process holds; for one that claimed and did not get the answer."""

    @abstractmethod
    def claimable(self) -> bool:
        """Whether a bucket with room has a due run for our version (a claim may have met locked rows)."""

    @abstractmethod
    def pressure(self, session_id: str) -> Pressure:
        """What a cluster that found nothing more to claim has to know of heavy runs."""

    @abstractmethod
    def assigned(self, run_id: str, token: str) -> Assignment | None:
        """What a claim is for; None when its lease is lost."""

    @abstractmethod
    def has_shared(self) -> bool:
        """Whether some run for an event loop is due; one look, whatever else there is."""

    @abstractmethod
    def start(
        self, run_id: str, token: str, pid: int, began: int | None = None
    ) -> Assignment | None:
        """DEQUEUED to EXECUTING; None when the lease is lost or the run was canceled.

        `began` (CLOCK_MONOTONIC nanoseconds) says that the body was entered then, so that a cancel
        no longer keeps it from starting.
        """

    @abstractmethod
    def turn(self, done: Sequence[Done], take: Next, most: int, pid: int) -> Turn:
        """COMPLETED, and the next runs; one commit.

        Up to `most` come with `begun` false: their starts are recorded with their ends. They are of
        the same bucket if that has no limit, else one of each of several. Otherwise one comes, begun.
        """

    @abstractmethod
    def turn_over(self, done: Sequence[Done], session_id: str, most: int, pid: int) -> Turn:
        """COMPLETED, and up to `most` runs for the session as `claim_started` takes them; one commit.

        A session that is lost gets none.
        """

    @abstractmethod
    def suspend(
        self,
        run_id: str,
        token: str,
        pause: Pause,
        take: Next = Next.NONE,
        pid: int = 0,
        began: int | None = None,
    ) -> Suspended:
        """EXECUTING to WAITING, fenced by the token; what is there already is not waited for.

        `began` records the start too, where that is not done yet; see `start`.
        """

    @abstractmethod
    def finish(self, ending: Ending, take: Next = Next.NONE, pid: int = 0) -> Finished:
        """End an attempt, fenced by its token, and take the next run where asked and allowed."""

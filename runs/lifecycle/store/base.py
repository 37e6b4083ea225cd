"""What a store does, and the values that go in and out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple, Self

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from runs.models import EventKind
from runs.states import AttemptStatus, RunStatus


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


#: Columns of `runs_run` in an assignment, in order; run id, token and attempt come from the lease.
ASSIGNMENT_COLUMNS = ", ".join(
    {"run_id": "r.id", "token": "l.token", "attempt": "l.attempt"}.get(name, f"r.{name}")
    for name in Assignment._fields
)


class Next(IntEnum):
    """What to take in the same statement that finishes a run."""

    NONE = 0
    #: The same bucket first: slot inheritance.
    SAME = 1
    ANY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ends and where its run goes.

    `status` QUEUED means another try `delay` seconds from now. `uncounted` attempts do not count as
    a try; `crashed` means the process or the cluster was lost. `machine` is the preset from now on.
    `output` and `error` are JSON text. `hooked` says that the final hooks for `status` were called.
    """

    run_id: str
    token: str
    status: RunStatus
    attempt_status: AttemptStatus
    kind: EventKind
    output: str | None = None
    error: str | None = None
    delay: float | None = None
    reason: str = ""
    uncounted: bool = False
    crashed: bool = False
    machine: str | None = None
    hooked: bool = False

    @property
    def is_retry(self) -> bool:
        return self.status in (RunStatus.QUEUED, RunStatus.PENDING_VERSION)


def canceled(run_id: str, token: str, error: str | None = None, *, hooked: bool = False) -> Ending:
    """The ending of a run that was asked to stop and did."""
    return Ending(
        run_id=run_id,
        token=token,
        status=RunStatus.CANCELED,
        attempt_status=AttemptStatus.CANCELED,
        kind=EventKind.CANCELED,
        error=error,
        hooked=hooked,
    )


@dataclass(frozen=True, slots=True)
class Finished:
    """`won`: this end (or an earlier try of the same write) is the recorded one."""

    won: bool
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


class Store(ABC):
    """The statements every run costs."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    @classmethod
    def over(cls, connection: BaseDatabaseWrapper) -> Self:
        return cls(connection)

    @classmethod
    def separate(cls) -> "Store":
        return cls(connections.create_connection("default"))

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
    def claimable(self) -> bool:
        """Whether a bucket with room has a run that is due (a claim may have met locked rows)."""

    @abstractmethod
    def start(self, run_id: str, token: str, pid: int) -> Assignment | None:
        """DEQUEUED to EXECUTING; None when the lease is lost or the run was canceled."""

    @abstractmethod
    def finish(self, ending: Ending, take: Next = Next.NONE, pid: int = 0) -> Finished:
        """End an attempt, fenced by its token, and take the next run where asked and allowed."""

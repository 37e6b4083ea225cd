"""What travels between a body that waits or remembers, and the tables behind it. Plain values."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from runs.states import EntryKind, EntryStatus


class Entry(NamedTuple):
    """One row of `Journal` but its run."""

    kind: EntryKind
    name: str
    ordinal: int
    attempt: int
    position: int
    status: EntryStatus
    started_at: datetime
    args: str = ""
    args_hash: str = ""
    result: str | None = None
    error: str | None = None
    target: str | None = None
    span: str = ""
    due_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        """What a replay finds it by."""
        return self.kind.value, self.name, self.ordinal

    def row(self, run_id: str) -> dict[str, Any]:
        """The columns of `runs_journal`."""
        return {"run_id": run_id} | self._asdict()


class Target(NamedTuple):
    """How a run or token stands that somebody waits for.

    `status` is a run's or a token's word, empty where there is none any more.
    """

    id: str
    status: str
    output: str | None = None
    error: str | None = None
    task_id: str = ""
    ended_at: datetime | None = None
    #: Why a run stands so: of a canceled one what its cancel said.
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it may still end; what is gone has."""
        return bool(self.status) and self.ended_at is None


class Remembered(NamedTuple):
    """What a run's journal says at the start of a segment, and how what it points to stands."""

    entries: list[Entry]
    targets: dict[str, Target]


class Unborn(NamedTuple):
    """Runs that are stored together with the wait for their ends.

    The other fields are what `Store.insert` takes.
    """

    ids: list[str]
    common: dict[str, Any]
    runs: list[dict[str, Any]]
    buckets: list[Any]
    tags: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Why and until when a run leaves its worker.

    It comes back at `due`, and before that when all of `targets` ended, or one of them where that
    suffices. `entries` are recorded in the same transaction, and the `unborn` of the targets made.
    """

    reason: str
    due: datetime | None = None
    targets: tuple[str, ...] = ()
    one_suffices: bool = False
    entries: tuple[Entry, ...] = field(default=())
    unborn: Unborn | None = None

    @property
    def met(self) -> list[str]:
        """The targets that are there already."""
        unborn = () if self.unborn is None else self.unborn.ids
        return list(dict.fromkeys(target for target in self.targets if target not in unborn))

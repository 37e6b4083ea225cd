"""One durable call, and the entry that is made for it."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from engine.sdk import spans
from runs.journal import Entry
from runs.states import EntryKind, EntryStatus

if TYPE_CHECKING:
    from engine.sdk.replay import Replay

#: Characters of the arguments kept to show them.
SHOWN_ARGS = 500
#: What a replay finds an entry by: kind, name, ordinal.
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Call:
    """One durable call of this segment: its place, and what was recorded for it."""

    replay: "Replay"
    kind: EntryKind
    name: str
    ordinal: int
    position: int
    args: str | None
    entry: Entry | None

    def made(self, status: EntryStatus, **facts: Any) -> Entry:
        """An entry for this call."""
        now, args = timezone.now(), self.args or ""
        return Entry(
            kind=self.kind,
            name=self.name,
            ordinal=self.ordinal,
            attempt=self.replay.attempt,
            position=self.position,
            status=status,
            started_at=facts.pop("started_at", now),
            args=args[:SHOWN_ARGS],
            span=spans.innermost_id(),
            args_hash="" if self.args is None else digest(args),
            finished_at=None if status == EntryStatus.PENDING else now,
            **facts,
        )

    def attached(self) -> tuple[Entry, ...]:
        """For a wait of an earlier attempt: an entry that makes its end count in this one."""
        assert self.entry is not None  # only what was recorded is waited for again
        if self.entry.attempt == self.replay.attempt:
            return ()
        return (self.entry._replace(attempt=self.replay.attempt, position=self.position),)


def is_of(entry: Entry, args: str) -> bool:
    """Whether the entry was recorded with these arguments."""
    if len(args) < SHOWN_ARGS and entry.args_hash:
        return entry.args == args
    return entry.args_hash == digest(args)


def digest(args: str) -> str:
    """What the arguments of two calls are compared by, where they are too long to be kept."""
    return hashlib.sha256(args.encode()).hexdigest()

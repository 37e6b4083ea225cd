"""Waiting and remembering on PostgreSQL: see `runs/sql/postgresql/wait.sql`."""

import json
import time
from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

from runs.journal import Entry, Pause, Remembered, Target
from runs.lifecycle.store.base import Assignment, Next, Suspended
from runs.lifecycle.store.memory import Recollection
from runs.lifecycle.store.prepared import Parameter
from runs.states import EntryKind, EntryStatus

#: Moments as PostgreSQL reads them.
document = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
KINDS = {kind.value: kind for kind in EntryKind}
STATUSES = {status.value: status for status in EntryStatus}
SECOND = 1_000_000_000


class PostgresWaits(Recollection):
    """One server-side function for each verb."""

    @abstractmethod
    def call(self, verb: str, *parameters: Parameter) -> Sequence[Sequence[Any]]:
        """The rows a verb answers with."""

    def suspend(
        self,
        run_id: str,
        token: str,
        pause: Pause,
        take: Next = Next.NONE,
        pid: int = 0,
        began: int | None = None,
    ) -> Suspended:
        outcome, *work = self.call(
            "suspend",
            run_id,
            token,
            pause.reason,
            None if pause.due is None else pause.due.timestamp(),
            pause.one_suffices,
            pause.met or None,
            document([entry.row(run_id) for entry in pause.entries]),
            int(take),
            pid,
            seconds_since(began),
            *unborn(pause),
            self.version,
        )[0]
        return Suspended(outcome, Assignment(*work) if work[0] is not None else None)

    def record(
        self,
        run_id: str,
        token: str,
        entries: Sequence[Entry],
        pid: int = 0,
        began: int | None = None,
    ) -> bool:
        if len(entries) == 1:
            start = (None if began is None else pid, seconds_since(began))
            facts: tuple[Any, ...] = entries[0]
            return bool(self.call("keep", run_id, token, *start, *facts, self.version)[0][0])
        if began is not None and self.start(run_id, token, pid, began) is None:
            return False
        rows = document([entry.row(run_id) for entry in entries])
        return bool(self.rows("SELECT trackside_record(%s, %s, %s)", (run_id, token, rows))[0][0])

    def remembered(self, run_id: str) -> Remembered:
        entries: list[Entry] = []
        targets: dict[str, Target] = {}
        for row in self.call("remember", run_id):
            facts: list[Any] = [KINDS[row[0]], *row[1:5], STATUSES[row[5]], *row[6:15]]
            entries.append(Entry(*facts))
            if row[11] is not None and row[15] is not None:
                targets[row[11]] = Target(row[11], *row[15:])
        return Remembered(entries, targets)

    def recall(self, run_id: str, token: str, targets: Collection[str]) -> dict[str, Target] | None:
        rows = self.call("recall", run_id, token, list(targets))
        return {row[0]: Target(*row) for row in rows if row[0] != run_id} if rows else None

    def wake(self, token_id: str) -> None:
        self.rows("SELECT trackside_wake(%s)", (token_id,))

    def resume(self, run_ids: Sequence[str]) -> None:
        self.rows("SELECT trackside_resume(id) FROM unnest(%s::text[]) AS id", (list(run_ids),))


def seconds_since(began: int | None) -> float | None:
    """CLOCK_MONOTONIC nanoseconds as seconds ago: the server's clock is another."""
    return None if began is None else (time.monotonic_ns() - began) / SECOND


def unborn(pause: Pause) -> list[Parameter]:
    """The runs that are made with the wait, as `trackside_suspend` takes them."""
    if pause.unborn is None:
        return [None] * 5
    ids, common, runs, buckets, tags = pause.unborn
    places = [bucket._asdict() for bucket in buckets]
    parts = (common, runs, places, tags)
    return [ids, *(document(part) if part else None for part in parts)]

"""A body that leaves its worker to wait, and what `on_wait` and `on_resume` learn of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from engine.sdk.errors import Suspend
from engine.sdk.hookkinds import Wait
from runs.journal import Entry, Pause
from runs.states import EntryKind

#: Entries of one wait for many are made within this time.
TOGETHER = timedelta(seconds=1)
WAITS = (EntryKind.WAIT, EntryKind.CHILD, EntryKind.FOR)


def is_suspension(error: BaseException) -> bool:
    """Whether it is the word to leave, also where a TaskGroup wrapped it."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_suspension(one) for one in error.exceptions)
    return isinstance(error, Suspend)


def wait_ahead(pause: Pause) -> Wait:
    """The wait that a run leaves its worker for."""
    return wait_for(pause.targets, pause.due)


def wait_behind(entries: Sequence[Entry], attempt: int) -> Wait:
    """The wait that a run comes back from: the last one its journal has of this attempt."""
    waits = [entry for entry in entries if entry.attempt == attempt and entry.kind in WAITS]
    if not waits:
        return Wait("duration")
    last = max(waits, key=lambda entry: entry.position)
    together = [
        entry
        for entry in waits
        if entry.kind == last.kind and last.started_at - entry.started_at < TOGETHER
    ]
    return wait_for([entry.target for entry in together if entry.target], last.due_at)


def wait_for(targets: Sequence[str], due: datetime | None) -> Wait:
    if not targets:
        return Wait("duration", date=due)
    if len(targets) > 1:
        return Wait("batch", date=due, run_count=len(targets))
    only = targets[0]
    if only.startswith("run_"):
        return Wait("task", date=due, run_id=only)
    return Wait("token", date=due, token_id=only)

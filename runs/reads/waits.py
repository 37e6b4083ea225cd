"""What runs wait for and what they remember, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runs.models import NEVER, Journal, Ready, Run, Waiter, Waitpoint
from runs.states import EntryKind, EntryStatus, RunStatus, TokenStatus

#: Rows shown of what may be thousands.
SHOWN = 20
ENTRIES = 500


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a WAITING run waits: until a time, for runs, for tokens; each may be missing."""

    until: datetime | None
    runs: list[Run]
    tokens: list[Waitpoint]
    #: How many it waits for in all.
    count: int
    one_suffices: bool


def of(run: Run) -> Wait | None:
    """What the run waits for now; None when it does not wait."""
    if run.status != RunStatus.WAITING:
        return None
    ready = Ready.objects.filter(pk=run.pk).first()
    waiters = Waiter.objects.filter(run_id=run.pk).order_by("target")
    shown = list(waiters[:SHOWN])
    ids = [waiter.target for waiter in shown]
    return Wait(
        until=ready.not_before if ready and ready.not_before != NEVER else None,
        runs=list(Run.objects.light().filter(pk__in=ids)),
        tokens=list(Waitpoint.objects.filter(pk__in=ids)),
        count=len(shown) if len(shown) < SHOWN else waiters.count(),
        one_suffices=any(waiter.one_suffices for waiter in shown),
    )


@dataclass(frozen=True, slots=True)
class Remembered:
    """An entry of a journal and how what it waits for stands."""

    entry: Journal
    run: Run | None
    token: Waitpoint | None

    @property
    def is_failed(self) -> bool:
        if self.run is not None:
            return self.run.is_final and self.run.status != RunStatus.COMPLETED
        bad = (TokenStatus.TIMED_OUT, TokenStatus.FAILED)
        ended_badly = self.token is not None and self.token.status in bad
        return self.entry.status == EntryStatus.FAILED or ended_badly

    @property
    def is_open(self) -> bool:
        """Still waited for."""
        if self.run is not None:
            return not self.run.is_final
        return self.token is not None and self.token.is_waiting


def journal(run_id: str) -> list[Remembered]:
    """What the run did, oldest first, at most ENTRIES; differences of replays are not among it."""
    found = Journal.objects.filter(run_id=run_id).exclude(kind=EntryKind.WARNING)
    entries = list(found.order_by("attempt", "position", "ordinal").defer("args")[:ENTRIES])
    targets = [entry.target for entry in entries if entry.target]
    runs = Run.objects.light().in_bulk(targets)
    tokens = Waitpoint.objects.in_bulk(targets)
    return [
        Remembered(entry, runs.get(entry.target or ""), tokens.get(entry.target or ""))
        for entry in entries
    ]


def differences(run_id: str) -> Sequence[Journal]:
    """Where a replay did not do what was recorded."""
    found = Journal.objects.filter(run_id=run_id, kind=EntryKind.WARNING)
    return list(found.order_by("started_at")[:SHOWN])


def waiting_runs(token_id: str) -> list[Run]:
    """The runs that wait for a token."""
    waiters = Waiter.objects.filter(target=token_id).values("run_id")
    return list(Run.objects.light().filter(pk__in=waiters).order_by("id")[:SHOWN])

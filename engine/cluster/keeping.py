"""The journal of the run a worker executes: read and written on the worker's own connection."""

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from engine.cluster import recollections
from engine.cluster.board import Seat
from engine.launching import item_of
from engine.runtime import Launch, Launched, installed
from engine.sdk.errors import CannotWaitHere, TaskRunInterrupted
from engine.sdk.keeper import SharedSpot, Spot
from runs.errors import InvalidOption
from runs.journal import Entry, Pause, Remembered, Target, Unborn
from runs.lifecycle import store, triggering, waiting
from runs.lifecycle.rows import Family
from runs.models import Source

SECOND = 1_000_000_000
#: Parents whose lineage is kept.
MANY = 1000
#: Of the runs this process executed: a run that waits for one child after the other is asked once.
family = Family()
family_lock = threading.Lock()
#: Calls until the database answers.
Insist = Callable[[Callable[[store.Store], Any]], Any]
#: Lets a run wait whose body stays: see `Keeper.stay`.
Lodge = Callable[["RunKeeper", Pause, Spot], bool | None]
#: The same for a coroutine.
Lounge = Callable[["RunKeeper", Pause, SharedSpot], Awaitable[bool | None]]


class RunKeeper:
    """See `engine.sdk.keeper.Keeper`. Everything is written under the run's lease."""

    def __init__(self, work: store.Assignment, slot: Seat, began: int, insist: Insist) -> None:
        self.work, self.slot, self.began, self.insist = work, slot, began, insist
        self.is_begun = work.begun
        #: What the run remembers, as far as it is certain.
        self.memory: Remembered | None = None
        #: None where bodies cannot stay while their runs wait; for plain ones, and for coroutines.
        self.lodge: Lodge | None = None
        self.lounge: Lounge | None = None
        #: The body stays here while its run is away.
        self.is_lodging = False
        #: The run waits.
        self.has_left = False
        #: The run has left for good, and its body is still here.
        self.is_gone = False

    @property
    def lease(self) -> tuple[str, str]:
        return self.work.run_id, self.work.token

    @property
    def token(self) -> str:
        return self.work.token

    def begin(self) -> None:
        """Record the start, which short runs do with their end."""
        run_id, token, pid = self.work.run_id, self.work.token, self.slot.pid
        if self.insist(lambda opened: opened.start(run_id, token, pid, self.began)) is None:
            raise taken_back()
        self.note_begun()

    def note_begun(self) -> None:
        self.is_begun = True
        self.slot.begun = self.slot.token

    def remembered(self) -> Remembered:
        work = self.work
        if self.slot.deadline and work.resumed:  # all segments of the attempt count (DEC-27)
            used = self.insist(lambda opened: opened.used(work.run_id, work.attempt))
            self.slot.deadline = max(self.slot.deadline - int(used * SECOND), 1)
        self.memory = self.recalled() or self.insist(lambda opened: opened.remembered(work.run_id))
        return Remembered([*self.memory.entries], self.memory.targets)

    def recalled(self) -> Remembered | None:
        """What this process still knows of the run, if nobody else executed it since."""
        before = recollections.kept.take(self.work.run_id)
        if before is None or not self.work.resumed:
            return None
        token, entries, targets = before
        asked = before.open_targets
        found = self.insist(lambda opened: opened.recall(self.work.run_id, token, asked))
        return None if found is None else Remembered(entries, targets | found)

    def leave(self, entries: Sequence[Entry]) -> None:
        """The run has left with these entries, and is remembered here in case it comes back here."""
        self.has_left = True
        self.note(entries)
        if not self.is_lodging:
            self.keep()

    def note(self, entries: Sequence[Entry]) -> None:
        """They are on record."""
        if self.memory is not None:
            self.memory.entries.extend(entries)

    def keep(self) -> None:
        """Remember here what the run that left remembers."""
        if self.memory is not None:
            left = recollections.Recollection(self.work.token, *self.memory)
            recollections.kept.keep(self.work.run_id, left)

    def stay(self, pause: Pause, spot: Spot) -> bool | None:
        return None if self.lodge is None else self.lodge(self, pause, spot)

    async def stay_apart(self, pause: Pause, spot: SharedSpot) -> bool | None:
        return None if self.lounge is None else await self.lounge(self, pause, spot)

    def come_back(self, work: store.Assignment, began: int) -> None:
        """The run goes on in another segment, with a lease of its own."""
        self.work, self.began, self.is_begun = work, began, work.begun
        self.has_left = False

    def has_left_last(self, targets: Sequence[str] = ()) -> bool:
        """Whether nobody executed the run since it left here; then also how these stand by now."""
        lease = self.lease
        found = self.insist(lambda opened: opened.recall(*lease, targets))
        if found is not None and self.memory is not None:
            self.memory.targets.update(found)
        return found is not None

    def children(self) -> list[tuple[str, str]]:
        of = self.work.run_id, self.work.attempt, self.work.token
        found: list[tuple[str, str]] = self.insist(lambda opened: opened.children(*of))
        return found

    def record(self, entries: Sequence[Entry]) -> None:
        """The first time together with the start, which short runs record with their end."""
        lease = self.work.run_id, self.work.token
        start = (0, None) if self.is_begun else (self.slot.pid, self.began)
        if not self.insist(lambda opened: opened.record(*lease, entries, *start)):
            raise taken_back()
        self.note(entries)
        if not self.is_begun:
            self.note_begun()

    def look(self, ids: Sequence[str]) -> dict[str, Target]:
        found: dict[str, Target] = self.insist(lambda opened: opened.targets(ids))
        return found

    def launch(
        self, launches: Sequence[Launch], entries: Callable[[list[Launched]], list[Entry]]
    ) -> list[Launched]:
        """On Django's connection, where triggers run; the body has no transaction open there."""
        with self.atomic() as record:
            made = installed().trigger_many(launches)
            self.refuse_circles([run.run_id for run in made if run.is_cached or run.is_held])
            record(*entries(made))
        return made

    def prepare(self, launches: Sequence[Launch]) -> Unborn | None:
        validated = all(launch.validated for launch in launches)
        items = [item_of(launch) for launch in launches]
        with family_lock:
            family.trim(MANY)
            if self.work.version:  # known here before the run's start is recorded
                family.versions[self.work.run_id] = self.work.version
            return triggering.prepare(items, source=Source.SDK, validated=validated, family=family)

    def refuse_circles(self, ids: Sequence[str]) -> None:
        try:
            waiting.refuse_circles(self.work.run_id, ids)
        except InvalidOption as circle:
            raise CannotWaitHere(str(circle)) from None

    @contextmanager
    def atomic(self) -> Iterator[Callable[..., None]]:
        """Undone as a whole when the lease is lost by the time it is recorded."""
        run_id, token = self.work.run_id, self.work.token
        if not self.is_begun:
            self.begin()
        self.memory = None  # what is written on another connection is not followed here
        try:
            with transaction.atomic():
                yield lambda *entries: waiting.record(run_id, token, entries)
        except waiting.Fenced:
            raise taken_back() from None


def taken_back() -> TaskRunInterrupted:
    return TaskRunInterrupted("The run was taken back from this worker.")

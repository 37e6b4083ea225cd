"""What a body did before, call by call: how waits and steps find what its run's journal says.

A run that waits leaves its worker, and its body later runs again from the top. Each durable call
takes its number among the calls of its kind and name, and what was recorded under that number is
its answer at once (DEC-20, DEC-21).
"""

import asyncio
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, NoReturn, TypeVar, cast

from django.utils import timezone

from engine.runtime import Launch, Launched
from engine.sdk import spans
from engine.sdk.asynctasks import task_now
from engine.sdk.awaiting import Awaiting, is_awaited
from engine.sdk.blocking import blocking
from engine.sdk.calls import SHOWN_ARGS, Call, Key, is_of
from engine.sdk.errors import Suspend
from engine.sdk.keeper import Keeper, Record, SharedSpot, Spot
from engine.sdk.transactions import is_in_transaction
from runs.journal import Entry, Pause, Remembered, Target, Unborn
from runs.states import EntryKind, EntryStatus, RunStatus, TokenStatus

#: Differences recorded of one attempt.
MAX_WARNINGS = 100
ENDED_WELL = (RunStatus.COMPLETED, TokenStatus.COMPLETED)

Shield = Callable[[], AbstractContextManager[None]]
R = TypeVar("R")


class Replay:
    """The durable calls of one segment of a body. Reads the journal when the first one is made."""

    def __init__(
        self,
        keeper: Keeper,
        run_id: str,
        attempt: int,
        *,
        resumed: bool = False,
        shield: Shield = nullcontext,
        may_block: bool = True,
    ) -> None:
        self.run_id, self.attempt, self.resumed = run_id, attempt, resumed
        #: Whether the body may sleep through short waits: nothing else runs in its thread.
        self.may_block = may_block
        #: Why the run is to leave; set by the first wait that has to.
        self.pause: Pause | None = None
        #: The run has left already, while its body is still here.
        self.is_gone = False
        #: Where the body stands; None where it cannot stay while it waits.
        self.spot: Spot | None = None
        #: The same of a coroutine among others.
        self.shared_spot: SharedSpot | None = None
        #: How many blocks with tries of their own the body has entered.
        self.blocks = 0
        #: The body does what it did before: it comes back from a wait and is not there again yet.
        self.is_repeating = resumed
        self._keeper, self._shield = keeper, shield
        self._thread = threading.get_ident()
        self._task: asyncio.Task[Any] | None = None
        self._memory: Remembered | None = None
        self._known: dict[Key, Entry] = {}
        self._children: dict[str, deque[str]] | None = None
        self._counts: dict[tuple[str, str], int] = {}
        self._reached: set[Key] = set()
        self._end = self._warnings = self._batches = 0

    # -- calls ------------------------------------------------------------------------------------

    def call(self, kind: EntryKind, name: str, args: str | None = None) -> Call:
        """The next durable call; `args` are compared with those recorded, None is not."""
        key, entry = self._next(kind, name)
        self._reach(key, entry)
        position = len(self._load().entries) + len(self._reached)
        call = Call(self, kind, name, key[2], position, args, entry)
        if entry is not None and entry.args_hash and args is not None:
            self._compare(call, entry)
        return call

    def answered(self, kind: EntryKind, name: str, args: Callable[[], str]) -> Target | None:
        """What the next call waited for, if the body made it before with these very arguments.

        The call is made with that. None leaves it to be made.
        """
        if not self.is_repeating:
            return None
        key, entry = self._next(kind, name)
        if entry is None or entry.target is None or not is_of(entry, args()):
            return None
        found = self._load().targets.get(entry.target)
        if found is None or found.is_open:
            return None
        self._reach(key, entry)
        return found

    def _next(self, kind: EntryKind, name: str) -> tuple[Key, Entry | None]:
        if self.pause is not None:
            raise Suspend
        self._load()
        word: str = kind._value_
        key = (word, name, self._counts.get((word, name), 0) + 1)
        return key, self._known.get(key)

    def _reach(self, key: Key, entry: Entry | None) -> None:
        self._counts[key[:2]] = key[2]
        self._reached.add(key)
        if entry is None or entry.position >= self._end:
            if self.is_repeating and entry is not None:
                spans.waited(entry)
            self.is_repeating = False

    def is_ahead(self, kind: EntryKind, name: str) -> bool:
        """Whether the next call of this name is one the run remembers."""
        if not self.resumed and self.attempt == 1:
            return False  # nothing can be
        return self._next(kind, name)[0] in self._known

    def record(self, *entries: Entry) -> None:
        with self._shield(), blocking():
            self._keeper.record(entries)

    def look(self, ids: Sequence[str]) -> dict[str, Target]:
        """How these stand; what the journal said at the start of the segment where it does."""
        known = self._load().targets
        asked = [one for one in ids if one not in known or known[one].is_open]
        if asked:
            with self._shield(), blocking():
                known.update(self._keeper.look(asked))
        return {one: known.get(one, Target(one, "")) for one in ids}

    def refuse_circles(self, ids: Sequence[str]) -> None:
        """Raise CannotWaitHere for a run that waits for this one, or is it."""
        with self._shield(), blocking():
            self._keeper.refuse_circles(ids)

    def launch(
        self, launches: Sequence[Launch], entries: Callable[[list[Launched]], list[Entry]]
    ) -> list[Launched]:
        with self._shield(), blocking():
            return self._keeper.launch(launches, entries)

    def prepare(self, launches: Sequence[Launch]) -> Unborn | None:
        """The same runs, to be made when this one leaves to wait for them, where that is possible."""
        with self._shield(), blocking():
            return self._keeper.prepare(launches)

    @contextmanager
    def atomic(self) -> Iterator[Record]:
        with blocking(), self._keeper.atomic() as record:
            yield record

    def suspend(self, pause: Pause) -> NoReturn:
        """Leave the body."""
        self.pause = pause
        raise Suspend

    def outlast(self, pause: Pause, then: Callable[[], R]) -> R:
        """Do this when the wait is over, where the body can stay here until then; else leave it."""
        if self.shared_spot is not None and is_awaited():
            waiting = partial(self._stay_apart, pause, self.shared_spot)
            return cast("R", Awaiting(waiting, then))
        self.pause = pause
        if self.spot is not None:
            with self._shield():
                self._stayed(pause, self._keeper.stay(pause, self.spot))
        self._go_on(pause)
        return then()

    async def _stay_apart(self, pause: Pause, spot: SharedSpot) -> None:
        self.pause = pause
        self._stayed(pause, await self._keeper.stay_apart(pause, spot))
        self._go_on(pause)

    def _stayed(self, pause: Pause, stayed: bool | None) -> None:
        self.is_gone = stayed is False
        self.pause = None if stayed else pause

    def _go_on(self, pause: Pause) -> None:
        if self.pause is not None:
            raise Suspend
        for entry in pause.entries:
            spans.waited(entry)

    def batch_id(self) -> str:
        """The id of the next batch: the same in every segment and attempt."""
        self._batches += 1
        return f"batch_{self.run_id.partition('_')[2]}{self._batches}"

    def repeated(self, launch: Launch) -> Launched | None:
        """The run this very trigger made before the wait the body comes back from; marks a new one."""
        launch.options["parent_token"] = self._keeper.token
        if not self.resumed:
            return None
        if self._children is None:
            self._children = defaultdict(deque)
            with self._shield(), blocking():
                found = self._keeper.children()
            for run_id, other in found:
                self._children[other].append(run_id)
        made = self._children[launch.task_id]
        return Launched(made.popleft()) if made else None

    # -- where ------------------------------------------------------------------------------------

    @contextmanager
    def at_home(self) -> Iterator[None]:
        """Entered in the asyncio task that runs the body."""
        self._task, self._thread = task_now(), threading.get_ident()
        try:
            yield
        finally:
            self._task = None  # which knows the body's replay: neither would go without the other

    def misplaced(self) -> str:
        """Why a run cannot leave from here, and what to do; empty when it can."""
        if threading.get_ident() != self._thread:
            return "was called from another thread. Call it from the task's own function"
        if task_now() is not self._task:
            return (
                "was called in another asyncio task (asyncio.gather, create_task, TaskGroup). Await it "
                "in the task's own function; wait.all([...]) and batch_trigger_and_wait([...]) wait "
                "for many at once"
            )
        if not self.is_repeating and is_in_transaction():  # what is known needs not leave
            return (
                "was called inside an open database transaction. Move it out of transaction.atomic(), "
                "or use step(..., atomic=True) for work that belongs into one"
            )
        return ""

    # -- what was recorded ------------------------------------------------------------------------

    def _load(self) -> Remembered:
        if self._memory is None:
            with self._shield(), blocking():
                self._memory = self._keeper.remembered()
            usable = [entry for entry in self._memory.entries if self._counts_now(entry)]
            self._known = {entry.key: entry for entry in usable}
            self._end = max((entry.position for entry in usable), default=0)
            self._warnings = sum(e.kind == EntryKind.WARNING for e in usable)
        return self._memory

    def _counts_now(self, entry: Entry) -> bool:
        """Success is remembered, failure only within its attempt."""
        if entry.attempt == self.attempt or entry.status == EntryStatus.DONE:
            return True
        assert self._memory is not None
        target = self._memory.targets.get(entry.target or "")
        ended = entry.target is not None and (target is None or target.ended_at is not None)
        well = target is not None and target.status in ENDED_WELL
        return entry.status == EntryStatus.PENDING and (well or not ended)

    def _compare(self, call: Call, entry: Entry) -> None:
        """A changed argument is a visible warning: the recorded answer stands (DEC-21)."""
        args = call.args or ""
        if not is_of(entry, args):
            self._warn(call.name, call.ordinal, f"{call.kind}", entry.args, args[:SHOWN_ARGS])

    def _warn(self, name: str, ordinal: int, kind: str, was: str, now: str | None) -> None:
        key = (str(EntryKind.WARNING), f"{kind}:{name}"[:256], ordinal)
        before = self._known.get(key)
        if (
            before is not None and before.attempt == self.attempt
        ) or self._warnings >= MAX_WARNINGS:
            return
        self._warnings += 1
        entry = Entry(
            kind=EntryKind.WARNING,
            name=key[1],
            ordinal=ordinal,
            attempt=self.attempt,
            position=0,
            status=EntryStatus.DONE,
            started_at=timezone.now(),
            result=json.dumps({"was": was, "now": now}),
            finished_at=timezone.now(),
        )
        self._known[key] = entry
        self.record(entry)

    def recorded(self) -> list[Entry]:
        """What the journal said at the start of the segment."""
        return self._load().entries

    def finish(self) -> None:
        """The body returned: note what was recorded and was not asked for any more."""
        left = [key for key in self._known if key not in self._reached]
        for kind, name, ordinal in left:
            if kind != EntryKind.WARNING:
                self._warn(name, ordinal, kind, "recorded", None)

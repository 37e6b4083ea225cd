"""The journal of the run a worker executes: read and written on the worker's own connection."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.cluster.board import Slot
from engine.runtime import Launch, Launched, installed
from engine.sdk.errors import CannotWaitHere, TaskRunInterrupted
from runs.errors import InvalidOption
from runs.journal import Entry, Remembered, Target
from runs.lifecycle import store, waiting

SECOND = 1_000_000_000
#: Calls until the database answers.
Insist = Callable[[Callable[[store.Store], Any]], Any]


class RunKeeper:
    """See `engine.sdk.durable.Keeper`. Everything is written under the run's lease."""

    def __init__(self, work: store.Assignment, slot: Slot, began: int, insist: Insist) -> None:
        self.work, self.slot, self.began, self.insist = work, slot, began, insist

    def begin(self) -> None:
        """Record the start, which short runs do with their end."""
        run_id, token, pid = self.work.run_id, self.work.token, self.slot.pid
        if self.insist(lambda opened: opened.start(run_id, token, pid, self.began)) is None:
            raise taken_back()
        self.slot.begun_run = self.slot.run

    def remembered(self) -> Remembered:
        work = self.work
        if not work.begun:
            self.begin()
        found: Remembered = self.insist(
            lambda opened: opened.remembered(work.run_id, work.attempt, resumed=work.resumed)
        )
        if self.slot.deadline:  # max_duration counts all segments of the attempt (DEC-27)
            self.slot.deadline = max(self.slot.deadline - int(found.used * SECOND), 1)
        return found

    def record(self, entries: Sequence[Entry]) -> None:
        work = self.work
        if not self.insist(lambda opened: opened.record(work.run_id, work.token, entries)):
            raise taken_back()

    def look(self, ids: Sequence[str]) -> dict[str, Target]:
        found: dict[str, Target] = self.insist(lambda opened: opened.targets(ids))
        return found

    def launch(
        self, launches: Sequence[Launch], entries: Callable[[list[Launched]], list[Entry]]
    ) -> list[Launched]:
        """On Django's connection, where triggers run; the body has no transaction open there."""
        run_id, token = self.work.run_id, self.work.token
        with self.fenced():
            made = installed().trigger_many(launches)
            self.refuse_circles([run.run_id for run in made if run.is_cached])
            waiting.record(run_id, token, entries(made))
        return made

    def refuse_circles(self, ids: Sequence[str]) -> None:
        try:
            waiting.refuse_circles(self.work.run_id, ids)
        except InvalidOption as circle:
            raise CannotWaitHere(str(circle)) from None

    @contextmanager
    def atomic(self) -> Iterator[Callable[[Entry], None]]:
        with self.fenced():
            yield lambda entry: waiting.record(self.work.run_id, self.work.token, [entry])

    @contextmanager
    def fenced(self) -> Iterator[None]:
        try:
            with waiting.fenced(self.work.run_id, self.work.token):
                yield
        except waiting.Fenced:
            raise taken_back() from None


def taken_back() -> TaskRunInterrupted:
    return TaskRunInterrupted("The run was taken back from this worker.")

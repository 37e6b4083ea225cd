"""A cluster of one, in the process of the test: claims, executes, records, one run after the other."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from django.utils import timezone

from engine.cluster.endings import Leaving, assignment_of, ending_of
from engine.cluster.keeping import RunKeeper
from engine.execution import executor, interrupts
from engine.execution.outcomes import Concluded, Failed, Missing, Outcome
from engine.execution.waiting import wait_ahead
from engine.testing.clock import Clock
from engine.testing.problems import TracksideError
from engine.testing.records import Book, LogLine, Waited
from engine.testing.stubs import Stub
from engine.testing.timelimit import TimeLimit
from runs.journal import Pause
from runs.lifecycle import finalhooks, sessions, store

VERSION = "test"


class Worker:
    """Executes what is claimable, one segment at a time."""

    def __init__(self, book: Book, stubs: dict[str, Stub], clock: Clock) -> None:
        self.book, self.stubs = book, stubs
        self.limit = TimeLimit(clock, lambda: self.tell("timeout"))
        self.session = sessions.open_session("tests", slots=1, version=VERSION, pid=os.getpid())
        self.executing: store.Assignment | None = None
        #: Why the run that executes should stop, or empty.
        self.stop = ""

    def work(self) -> bool:
        """Execute the next run until it ends or waits, or call final hooks; False: nothing to do."""
        claims = store.current().claim(self.session.pk, 1)
        if not claims:
            return self.conclude()
        work = store.current().start(claims[0].run_id, claims[0].token, os.getpid())
        while work is not None:
            work = self.written(work, self.ending(work))
        return True

    def ending(self, work: store.Assignment) -> store.Ending | Leaving:
        stub = self.stubs.get(work.task_id)
        if stub is not None:
            return stub.ending(work)
        outcome = self.execute(work)
        if isinstance(outcome, Missing):  # a cluster would wait for a version that has it
            raise TracksideError(
                f"{work.task_id}: {outcome.reason} Was it defined in another test?"
            )
        if isinstance(outcome, Failed) and outcome.retry_delay is not None:
            self.book.delays[work.run_id, work.attempt] = outcome.retry_delay
        return ending_of(work, outcome)

    def execute(self, work: store.Assignment) -> Outcome:
        slot: Any = SimpleNamespace(pid=os.getpid(), deadline=0, begun=b"", token=b"")
        keeper = RunKeeper(work, slot, 0, lambda call: call(store.current()))
        with self.occupied(work), self.limit.on(work):
            return executor.execute(assignment_of(work), self, self, keeper=keeper)

    @contextmanager
    def occupied(self, work: store.Assignment) -> Iterator[None]:
        """While the run executes. What limits the time of the test is not the run's to put back."""
        alarm = signal.getitimer(signal.ITIMER_REAL)
        self.executing, self.stop = work, ""
        try:
            yield
        finally:
            self.executing, self.stop = None, ""
            signal.setitimer(signal.ITIMER_REAL, *alarm)

    def written(
        self, work: store.Assignment, ending: store.Ending | Leaving
    ) -> store.Assignment | None:
        """Record how it ended; the same run again where its wait is over already."""
        if not isinstance(ending, Leaving):
            store.current().finish(ending, store.Next.NONE, os.getpid())
            return None
        self.book.waits[work.run_id].append(waited(ending.pause))
        done = store.current().suspend(*ending, store.Next.NONE, os.getpid())
        return work._replace(resumed=True, begun=True) if done.outcome == "ready" else None

    def conclude(self) -> bool:
        """Final hooks of runs that ended where nobody could call them."""
        taken = finalhooks.take(1)
        for claim in taken:
            found = finalhooks.ended_run(claim.run_id, claim.token)
            if found is None:
                continue
            work, run = found
            end = executor.End(run.status, json.loads(run.error or "{}"), run.reason)
            with self.occupied(work):
                answer = executor.conclude(assignment_of(work), end, self, self)
            called, problems = (
                (answer.called, answer.problems) if isinstance(answer, Concluded) else ((), ())
            )
            finalhooks.done(claim.run_id, claim.token, self.session.pk, called, "; ".join(problems))
        return bool(taken)

    # -- what the executor asks -------------------------------------------------------------------

    def reason(self) -> str:
        """See `engine.execution.interrupts.Control`."""
        return self.stop

    def write(self, level: int, logger: str, message: str, at: float) -> None:
        """See `engine.execution.capture.LogSink`."""
        assert self.executing is not None  # lines come from what executes
        line = LogLine(level, logger, message, self.executing.attempt)
        self.book.lines[self.executing.run_id].append(line)

    def tell(self, reason: str) -> None:
        """The run that executes hears that it should stop."""
        self.stop = reason
        interrupts.look()


def waited(pause: Pause) -> Waited:
    """What a run leaves for, as the test sees it."""
    due, began = pause.due, [entry.started_at for entry in pause.entries]
    seconds = None
    if due is not None:
        seconds = round((due - (min(began) if began else timezone.now())).total_seconds(), 2)
    return Waited(wait_ahead(pause).type, seconds, due, pause.targets)

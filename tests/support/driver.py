"""A cluster of one, in the test's own process: claims, executes bodies, records, promotes."""

from types import SimpleNamespace
from typing import Any

from engine.cluster.endings import Leaving, assignment_of, ending_of
from engine.cluster.keeping import RunKeeper
from engine.execution.executor import execute
from engine.registry import registry
from runs import lifecycle
from runs.lifecycle import TriggerOptions, store
from runs.models import Run, Source
from tests.support import factories


class Calm:
    """Never asks a body to stop."""

    def reason(self) -> str:
        return ""


class Lines:
    """Keeps log lines."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def write(self, level: int, logger: str, message: str, at: float) -> None:
        self.messages.append(message)


class Driver:
    """Executes what is claimable, one segment at a time."""

    def __init__(self) -> None:
        self.session = factories.session()
        self.logs = Lines()
        self.slot = SimpleNamespace(pid=1, deadline=0, begun=b"", token=b"")
        #: (run id, outcome) of every segment.
        self.segments: list[tuple[str, Any]] = []

    def trigger(self, task: Any, payload: str | None = None, **options: Any) -> str:
        for known in registry:
            factories.task(known.id, queue=known.queue.name, max_attempts=known.retry.max_attempts)
        options = {"queue": task.queue.name} | options
        made = lifecycle.trigger(task.id, payload, TriggerOptions(**options), source=Source.SDK)
        return made.run_id

    def segment(self) -> Any:
        """The next claimable run executes until it ends or waits; None when there is none."""
        claims = store.current().claim(self.session.pk, 1)
        if not claims:
            return None
        work = store.current().start(claims[0].run_id, claims[0].token, 1)
        while work is not None:
            outcome = self.execute(work)
            self.segments.append((work.run_id, outcome))
            work = self.write(work, ending_of(work, outcome))
        return self.segments[-1][1]

    def execute(self, work: store.Assignment) -> Any:
        self.keeper = RunKeeper(work, self.slot, 0, lambda call: call(store.current()))
        return execute(assignment_of(work), self.logs, Calm(), keeper=self.keeper)

    def write(self, work: store.Assignment, ending: Any) -> store.Assignment | None:
        """Record the outcome; the same run again where its wait is over already."""
        if not isinstance(ending, Leaving):
            store.current().finish(ending, store.Next.NONE, 1)
            return None
        done = store.current().suspend(*ending, store.Next.NONE, 1)
        if done.outcome == "waiting":
            self.keeper.leave(ending.pause.entries)
        return work._replace(resumed=True, begun=True) if done.outcome == "ready" else None

    def until_idle(self) -> None:
        """Execute everything that is due."""
        while self.segment() is not None:
            continue

    def finish(self, task: Any, payload: str | None = None, **options: Any) -> Any:
        """Trigger, execute everything, and how the run stands then."""
        run_id = self.trigger(task, payload, **options)
        self.until_idle()
        return Run.objects.get(pk=run_id)

    def due(self) -> None:
        """What is due by the clock becomes claimable, and everything executes."""
        lifecycle.promote_due()
        lifecycle.time_out_due()
        self.until_idle()

"""One attempt, from assignment to outcome. Runs in a worker process and knows no database."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from engine.execution import traced
from engine.execution.assignment import Assignment, context_of
from engine.execution.attempt import Attempt
from engine.execution.calls import Calls, driven
from engine.execution.capture import Capture, LogSink
from engine.execution.conclusion import Conclusion, End
from engine.execution.hygiene import Snapshot
from engine.execution.interrupts import Control, listening
from engine.execution.outcomes import Concluded, Missing, Outcome
from engine.execution.staying import Spot
from engine.registry import registry
from engine.sdk.context import Context, executing
from engine.sdk.keeper import Keeper
from engine.sdk.replay import Replay, Shield
from engine.sdk.tasks import Task
from engine.sdk.tracer import Segment
from runs import conf

__all__ = ["End", "conclude", "execute"]

R = TypeVar("R", bound=Outcome)
Work = Callable[[Task[Any, Any], Context, Calls, Replay | None], Coroutine[Any, Any, R]]


def execute(
    assignment: Assignment,
    logs: LogSink,
    control: Control,
    clean: Snapshot | None = None,
    keeper: Keeper | None = None,
) -> Outcome:
    """Run one segment of an attempt of a task's body, with its hooks. Never raises.

    `logs` gets its log lines as they come. `control` says whether and why it should stop, and is
    asked when the signal of `interrupts.install` arrives. `clean` is how the process is to stand
    afterwards (default: as it stands now). `keeper` has the run's journal; without one the body
    can neither wait nor remember.
    """
    return Process(assignment, logs, control, clean or Snapshot(), keeper).carry_out(
        lambda task, ctx, calls, replay: Attempt(task, assignment, ctx, calls, replay).run()
    )


def conclude(
    assignment: Assignment,
    end: End,
    logs: LogSink,
    control: Control,
    clean: Snapshot | None = None,
) -> Concluded | Missing:
    """Call the final hooks of a run that ended elsewhere, as `end` says. Never raises."""
    return Process(assignment, logs, control, clean or Snapshot()).carry_out(
        lambda task, ctx, calls, _: Conclusion(task, assignment, ctx, calls, end).run()
    )


@dataclass(frozen=True, slots=True)
class Process:
    """This process while it executes a task's code: what it prints is captured, stops are heard."""

    assignment: Assignment
    logs: LogSink
    control: Control
    clean: Snapshot
    keeper: Keeper | None = None

    def carry_out(self, work: Work[R]) -> R | Missing:
        """Do the work for the task, and put back what its code changed about the process."""
        task = registry.get(self.assignment.task_id)
        if task is None:
            return Missing(why_missing(self.assignment.task_id))
        ctx = context_of(self.assignment, task.source.file)
        limit = conf.get("LOG_LINES_PER_ATTEMPT")
        with listening(self.control, ctx) as delivery:
            replay = self._replay(delivery.shielded)
            logs = self.logs if replay is None or not replay.resumed else Once(self.logs, replay)
            ctx._segments.append(segment_of(self.logs, replay, delivery.shielded))
            with (
                Capture(logs, limit, delivery.shielded) as capture,
                executing(ctx),
                Calls(delivery) as calls,
            ):
                if replay is not None:
                    replay.spot = Spot(task, ctx, calls, capture, self.clean)
                outcome = driven(work(task, ctx, calls, replay))
                ctx._close()
        if ctx._segments[0].is_exporting:
            traced.tell(self.assignment, ctx, outcome)
        damage = self.clean.restore()
        return replace(outcome, recycle=damage) if damage else outcome

    def _replay(self, shield: Shield) -> Replay | None:
        """What answers the body's durable calls."""
        if self.keeper is None:
            return None
        run, attempt, resumed = (
            self.assignment.run_id,
            self.assignment.attempt,
            self.assignment.resumed,
        )
        return Replay(self.keeper, run, attempt, resumed=resumed, shield=shield)


def segment_of(logs: LogSink, replay: Replay | None, shield: Shield) -> Segment:
    """Where its spans go: beside the log lines, and not twice."""
    if replay is None or not replay.resumed:
        return Segment(logs, shield=shield)
    return Segment(logs, lambda: replay.is_repeating, shield)


class Once:
    """Passes on the lines of code that does not only repeat what it did before a wait."""

    def __init__(self, logs: LogSink, replay: Replay) -> None:
        self._logs, self._replay = logs, replay

    def write(self, level: int, logger: str, message: str, at: float) -> None:
        if not self._replay.is_repeating:
            self._logs.write(level, logger, message, at)


def why_missing(task_id: str) -> str:
    error = registry.why_broken(task_id)
    if error is None:
        return f"This version of the code has no task “{task_id}”."
    return f"The file of the task failed to import: {error.strip().splitlines()[-1]:.300}"

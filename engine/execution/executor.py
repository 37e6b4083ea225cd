"""One attempt, from assignment to outcome. Runs in a worker process and knows no database."""

import asyncio
from dataclasses import replace
from typing import Any

from engine.execution.assignment import Assignment, context_of
from engine.execution.capture import Capture, LogSink
from engine.execution.failures import describe
from engine.execution.hygiene import Snapshot
from engine.execution.interrupts import Control, Delivery, listening
from engine.execution.outcomes import Canceled, Failed, Interrupted, Missing, Outcome, Succeeded
from engine.execution.verdicts import BAD_INPUT, BAD_OUTPUT, TIMED_OUT, Kind, failed, kind_of
from engine.registry import registry
from engine.sdk import values
from engine.sdk.context import Context, executing
from engine.sdk.errors import TaskRunStopped, TaskRunTimedOut
from engine.sdk.tasks import Task
from runs import conf
from runs.states import RunStatus

#: What ends a body that was told to stop.
STOPPED = (TaskRunStopped, asyncio.CancelledError)


def execute(
    assignment: Assignment, logs: LogSink, control: Control, clean: Snapshot | None = None
) -> Outcome:
    """Run one attempt of a task's body and say how it ended. Never raises.

    `logs` gets its log lines as they come. `control` says whether and why it should stop, and is
    asked when the signal of `interrupts.install` arrives. `clean` is how the process is to stand
    afterwards (default: as it stands now).
    """
    task = registry.get(assignment.task_id)
    if task is None:
        return Missing(why_missing(assignment.task_id))
    clean = clean or Snapshot()
    outcome = Attempt(task, assignment).run(logs, control)
    damage = clean.restore()
    return replace(outcome, recycle=damage) if damage else outcome


def why_missing(task_id: str) -> str:
    error = registry.why_broken(task_id)
    if error is None:
        return f"This version of the code has no task “{task_id}”."
    return f"The file of the task failed to import: {error.strip().splitlines()[-1]:.300}"


class Attempt:
    """The steps of one attempt: parse the payload, run the body, convert what it returns."""

    def __init__(self, task: Task[Any, Any], assignment: Assignment) -> None:
        self._task, self._assignment = task, assignment

    def run(self, logs: LogSink, control: Control) -> Outcome:
        ctx = context_of(self._assignment, self._task.source.file)
        limit = conf.get("LOG_LINES_PER_ATTEMPT")
        with (
            listening(control, ctx) as delivery,
            Capture(logs, limit, delivery.shielded),
            executing(ctx),
        ):
            outcome = self._ended(delivery, ctx)
            ctx._close()
            return outcome

    def _ended(self, delivery: Delivery, ctx: Context) -> Outcome:
        try:
            payload = self._task.schema.parse(self._assignment.payload)
        except BaseException as error:
            return self._failed(error, BAD_INPUT)
        try:
            result = self._called(delivery, payload, ctx)
        except BaseException as error:
            return self._stopped(error, delivery.reason)
        return self._returned(result, delivery.reason)

    def _called(self, delivery: Delivery, payload: Any, ctx: Context) -> Any:
        body = self._task.body
        if body.is_async:
            return delivery.run(body.call(payload, ctx))
        return delivery.call(lambda: body.call(payload, ctx))

    def _returned(self, result: Any, reason: str) -> Outcome:
        """A body that returns has finished, unless it was asked to stop for good."""
        if reason == "cancel":
            return Canceled()
        if reason == "timeout":
            return self._failed(TaskRunTimedOut(), TIMED_OUT, self._overdue())
        try:
            limit = conf.get("OUTPUT_LIMIT")
            return Succeeded(None if result is None else values.dumps(result, limit))
        except BaseException as error:
            return self._failed(error, BAD_OUTPUT)

    def _stopped(self, error: BaseException, reason: str) -> Outcome:
        if reason == "cancel":
            return Canceled(None if isinstance(error, STOPPED) else describe(error))
        if reason == "timeout":
            return self._failed(error, TIMED_OUT, self._overdue())
        if reason == "shutdown" and is_stop(error):
            return Interrupted("The cluster is stopping.")
        return self._failed(error, kind_of(error))

    def _failed(self, error: BaseException, kind: Kind, message: str = "") -> Outcome:
        try:
            return failed(error, kind, self._task.retry, self._assignment, message)
        except BaseException as problem:
            return Failed(describe(problem), None, RunStatus.SYSTEM_FAILURE)

    def _overdue(self) -> str:
        limit = self._assignment.max_duration
        allowed = "its max_duration" if limit is None else f"its max_duration of {limit:g} seconds"
        return f"The run executed longer than {allowed}."


def is_stop(error: BaseException) -> bool:
    """Whether the body ended by the exception that stopped it, also if its cleanup failed too."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        if isinstance(at, STOPPED):
            return True
        seen.add(id(at))
        at = at.__cause__ or at.__context__
    return False

"""One attempt, from assignment to outcome. Runs in a worker process and knows no database."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from engine.execution.assignment import Assignment, context_of
from engine.execution.capture import Capture, LogSink
from engine.execution.failures import describe
from engine.execution.hygiene import Snapshot
from engine.execution.interrupts import Control, Delivery, listening
from engine.execution.outcomes import (
    Canceled,
    Failed,
    Interrupted,
    Missing,
    Outcome,
    Succeeded,
    Suspended,
)
from engine.execution.verdicts import BAD_INPUT, BAD_OUTPUT, TIMED_OUT, Kind, failed, kind_of
from engine.registry import registry
from engine.sdk import values
from engine.sdk.context import Context, executing
from engine.sdk.durable import durable
from engine.sdk.errors import Suspend, TaskRunStopped, TaskRunTimedOut
from engine.sdk.replay import Keeper, Replay
from engine.sdk.tasks import Task
from runs import conf
from runs.states import RunStatus

#: What ends a body that was told to stop.
STOPPED = (TaskRunStopped, asyncio.CancelledError)


def execute(
    assignment: Assignment,
    logs: LogSink,
    control: Control,
    clean: Snapshot | None = None,
    keeper: Keeper | None = None,
) -> Outcome:
    """Run one segment of an attempt of a task's body and say how it ended. Never raises.

    `logs` gets its log lines as they come. `control` says whether and why it should stop, and is
    asked when the signal of `interrupts.install` arrives. `clean` is how the process is to stand
    afterwards (default: as it stands now). `keeper` has the run's journal; without one the body
    can neither wait nor remember.
    """
    task = registry.get(assignment.task_id)
    if task is None:
        return Missing(why_missing(assignment.task_id))
    clean = clean or Snapshot()
    outcome = Attempt(task, assignment, keeper).run(logs, control)
    damage = clean.restore()
    return replace(outcome, recycle=damage) if damage else outcome


def why_missing(task_id: str) -> str:
    error = registry.why_broken(task_id)
    if error is None:
        return f"This version of the code has no task “{task_id}”."
    return f"The file of the task failed to import: {error.strip().splitlines()[-1]:.300}"


class Attempt:
    """The steps of one attempt: parse the payload, run the body, convert what it returns."""

    def __init__(self, task: Task[Any, Any], assignment: Assignment, keeper: Keeper | None) -> None:
        self._task, self._assignment, self._keeper = task, assignment, keeper
        self._replay: Replay | None = None

    def run(self, logs: LogSink, control: Control) -> Outcome:
        ctx = context_of(self._assignment, self._task.source.file)
        limit = conf.get("LOG_LINES_PER_ATTEMPT")
        with listening(control, ctx) as delivery:
            replaying, logs = self._replaying(delivery, logs)
            with Capture(logs, limit, delivery.shielded), executing(ctx), replaying:
                return self._ended(delivery, ctx)

    def _replaying(
        self, delivery: Delivery, logs: LogSink
    ) -> tuple[AbstractContextManager[None], LogSink]:
        """What answers the body's durable calls, and a sink that takes no line a second time."""
        if self._keeper is None:
            return nullcontext(), logs
        work = self._assignment
        self._replay = Replay(
            self._keeper,
            work.run_id,
            work.attempt,
            resumed=work.resumed,
            shield=delivery.shielded,
        )
        return durable(self._replay), Once(logs, self._replay) if work.resumed else logs

    def _ended(self, delivery: Delivery, ctx: Context) -> Outcome:
        try:
            payload = self._task.schema.parse(self._assignment.payload)
        except BaseException as error:
            return self._failed(error, BAD_INPUT)
        if self._assignment.resumed:
            self._comes_back()
        try:
            result = self._called(delivery, payload, ctx)
        except BaseException as error:
            if self._is_leaving(error, delivery.reason):
                return self._leaves()
            return self._stopped(error, delivery.reason)
        if self._is_leaving(None, delivery.reason):
            return self._leaves()
        return self._returned(result, delivery.reason)

    def _called(self, delivery: Delivery, payload: Any, ctx: Context) -> Any:
        body = self._task.body
        if body.is_async:
            return delivery.run(self._at_home(body.call(payload, ctx)))
        return delivery.call(lambda: body.call(payload, ctx))

    async def _at_home(self, body: Coroutine[Any, Any, Any]) -> Any:
        if self._replay is not None:
            self._replay.at_home()
        return await body

    def _is_leaving(self, error: BaseException | None, reason: str) -> bool:
        """Whether the body ended because of a wait; also one that swallowed the word to leave."""
        if self._replay is None or self._replay.pause is None or reason in ("cancel", "timeout"):
            return False
        return error is None or is_suspension(error)

    def _leaves(self) -> Outcome:
        """The run is about to wait."""
        pause = None if self._replay is None else self._replay.pause
        assert pause is not None  # the caller looked
        return Suspended(pause)

    def _comes_back(self) -> None:
        """The run's wait is over, and its body is about to run again."""

    def _returned(self, result: Any, reason: str) -> Outcome:
        """A body that returns has finished, unless it was asked to stop for good."""
        if reason == "cancel":
            return Canceled()
        if reason == "timeout":
            return self._failed(TaskRunTimedOut(), TIMED_OUT, self._overdue())
        try:
            limit = conf.get("OUTPUT_LIMIT")
            output = None if result is None else values.dumps(result, limit)
        except BaseException as error:
            return self._failed(error, BAD_OUTPUT)
        if self._replay is not None:
            self._replay.finish()
        return Succeeded(output)

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


class Once:
    """Passes on the lines of code that does not only repeat what it did before a wait."""

    def __init__(self, logs: LogSink, replay: Replay) -> None:
        self._logs, self._replay = logs, replay

    def write(self, level: int, logger: str, message: str, at: float) -> None:
        if not self._replay.is_repeating:
            self._logs.write(level, logger, message, at)


def is_suspension(error: BaseException) -> bool:
    """Whether it is the word to leave, also where a TaskGroup wrapped it."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_suspension(one) for one in error.exceptions)
    return isinstance(error, Suspend)


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

"""The steps of one attempt, in the order of docs/lifecycle.md."""

from collections.abc import Coroutine
from contextlib import nullcontext
from typing import Any

from engine.execution.assignment import Assignment
from engine.execution.calls import Calls, genuine
from engine.execution.failures import describe
from engine.execution.hooked import Hooked, logged, unparsed
from engine.execution.interrupts import STOPPED, is_stop
from engine.execution.outcomes import (
    Canceled,
    Failed,
    Interrupted,
    Outcome,
    Succeeded,
    Suspended,
)
from engine.execution.verdicts import (
    BAD_HANDLER,
    BAD_INPUT,
    BAD_MIDDLEWARE,
    BAD_OUTPUT,
    TIMED_OUT,
    Kind,
    Verdict,
    following,
    kind_of,
    verdict_on,
)
from engine.execution.waiting import is_suspension, wait_ahead, wait_behind
from engine.sdk import values as jsonable
from engine.sdk.context import Context
from engine.sdk.durable import durable
from engine.sdk.errors import TaskRunCanceled, TaskRunTimedOut
from engine.sdk.hookkinds import RunResult
from engine.sdk.replay import Replay
from engine.sdk.tasks import Task
from runs import conf
from runs.states import RunStatus


class Attempt:
    """One attempt: parse the payload, surround it with middleware, run hooks and body, decide.

    What a step raises is an outcome of the attempt; `outcome` is the latest and the one that counts.
    """

    def __init__(
        self,
        task: Task[Any, Any],
        assignment: Assignment,
        ctx: Context,
        calls: Calls,
        replay: Replay | None = None,
    ) -> None:
        self._task, self._assignment, self._ctx, self._calls = task, assignment, ctx, calls
        self._replay = replay
        self._hooks = Hooked(task, ctx, calls)
        self._outcome: Outcome | None = None
        #: The error that `next()` raises through the middleware.
        self._error: BaseException | None = None

    @property
    def _reason(self) -> str:
        """Why the attempt was told to stop, or empty."""
        return self._ctx._signal.reason

    async def run(self) -> Outcome:
        """Go through all steps. Never raises; waits only where its calls do."""
        try:
            await self._ended()
            await self._calls.settle_open(self._ctx._open)
        except BaseException as mistake:  # ours, or an error that cannot even be described
            return Failed(describe(mistake), None, RunStatus.SYSTEM_FAILURE)
        assert self._outcome is not None  # every way through `_ended` sets it
        return self._outcome

    async def _ended(self) -> None:
        try:
            self._hooks.values["payload"] = self._task.schema.parse(self._assignment.payload)
        except BaseException as error:
            self._hooks.values["payload"] = unparsed(self._assignment.payload)
            await self._fail(error, BAD_INPUT)
            return
        try:
            await self._hooks.surrounding(self._inside)
        except BaseException as raised:
            if genuine(raised) is not self._error:
                await self._middleware_raised(genuine(raised))

    # -- around and inside ------------------------------------------------------------------------

    async def _inside(self) -> None:
        """The attempt without its middleware; raises what it failed with."""
        try:
            await self._start()
            result = await self._called()
        except BaseException as error:
            self._error = await self._raised(genuine(error))
        else:
            self._error = (
                await self._leave(None) if self._is_leaving(None) else await self._returned(result)
            )
        if self._error is not None:
            raise self._error

    async def _start(self) -> None:
        await self._hooks.begin()
        if self._assignment.resumed:
            await self._come_back()
            return
        if self._assignment.attempt == 1:
            await self._hooks.start("on_start")
        await self._hooks.start("on_start_attempt")

    async def _called(self) -> Any:
        """The body; durable calls belong into it alone."""
        body, values = self._task.body, self._hooks.values

        def call() -> Any:
            made = body.call(values["payload"], self._ctx, values["init"])
            return self._at_home(made) if body.is_async else made

        with nullcontext() if self._replay is None else durable(self._replay):
            return await self._calls.interruptible(call, body.is_async)

    async def _at_home(self, body: Coroutine[Any, Any, Any]) -> Any:
        if self._replay is None:
            return await body
        with self._replay.at_home():
            return await body

    # -- waits ------------------------------------------------------------------------------------

    def _is_leaving(self, error: BaseException | None) -> bool:
        """Whether the body ended because of a wait; also one that swallowed the word to leave."""
        if self._replay is None or self._replay.pause is None:
            return False
        if self._replay.is_gone:  # the run waits already; whatever the body ends with is nobody's
            return True
        return self._reason not in ("cancel", "timeout") and (error is None or is_suspension(error))

    async def _leave(self, error: BaseException | None) -> BaseException | None:
        """The run is about to leave its worker."""
        assert self._replay is not None  # it asked to
        assert self._replay.pause is not None
        await self._hooks.each("on_wait", until_one_fails=True, wait=wait_ahead(self._replay.pause))
        logged(await self._hooks.cleanup())
        self._outcome = Suspended(self._replay.pause)
        return error

    async def _come_back(self) -> None:
        """The run's wait is over, and its body is about to go on."""
        if self._replay is None or not self._hooks.chain["on_resume"]:
            return
        # what these hooks log is new, though the body has yet to repeat what it did before
        self._replay.is_repeating = False
        wait = wait_behind(self._replay.recorded(), self._assignment.attempt)
        await self._hooks.each("on_resume", until_one_fails=True, wait=wait)
        self._replay.is_repeating = True

    # -- how it ended -----------------------------------------------------------------------------

    async def _returned(self, result: Any) -> BaseException | None:
        """A body that returns has finished, unless it was asked to stop for good."""
        if self._reason == "cancel":
            return await self._canceled(RunResult(True, result), None)
        if self._reason == "timeout":
            return await self._timed_out(TaskRunTimedOut())
        try:
            limit = conf.get("OUTPUT_LIMIT")
            output = None if result is None else jsonable.dumps(result, limit)
        except BaseException as error:
            return await self._fail(error, BAD_OUTPUT)
        if self._replay is not None:
            self._replay.finish()
        problem = await self._succeeded(result) if self._hooks.are_there else None
        if problem is not None:
            return await self._fail(problem, kind_of(problem))
        self._outcome = Succeeded(output)
        return None

    async def _succeeded(self, result: Any) -> BaseException | None:
        """Call the hooks of a success; returns what fails it all the same."""
        await self._hooks.each("on_success", output=result)
        await self._hooks.each("on_complete", result=RunResult(True, result))
        return await self._hooks.cleanup()

    async def _raised(self, error: BaseException) -> BaseException | None:
        """A hook before the body or the body itself raised: to wait, or by itself."""
        return (
            await self._leave(error)
            if self._is_leaving(error)
            else await self._stopped(error, kind_of(error))
        )

    async def _stopped(self, error: BaseException, kind: Kind) -> BaseException | None:
        """A step raised: because it was told to stop, or by itself."""
        if self._reason == "cancel":
            return await self._canceled(RunResult(False, error=error), error)
        if self._reason == "timeout":
            return await self._timed_out(error)
        if self._reason == "shutdown" and is_stop(error):
            logged(await self._hooks.cleanup())
            self._outcome = Interrupted("The cluster is stopping.")
            return error
        return await self._fail(error, kind)

    async def _canceled(self, run: RunResult, error: BaseException | None) -> BaseException | None:
        await self._hooks.each("on_cancel", run=run)
        canceled = RunResult(False, error=TaskRunCanceled("The run was canceled."))
        await self._hooks.each("on_complete", result=canceled)
        logged(await self._hooks.cleanup())
        told = None if error is None or isinstance(error, STOPPED) else describe(error)
        self._outcome = Canceled(told, hooked=self._hooks.chain.fires_on_cancel)
        return error

    async def _timed_out(self, error: BaseException) -> BaseException:
        """Its time is over: the final hooks are called by another worker, with time of their own."""
        logged(await self._hooks.cleanup())
        verdict = verdict_on(error, TIMED_OUT, self._task.retry, self._assignment)
        self._outcome = verdict.failed(self._overdue())
        return error

    async def _fail(self, error: BaseException, kind: Kind) -> BaseException:
        """The attempt failed: decide what follows, tell the hooks, and return the error it has."""
        verdict = verdict_on(error, kind, self._task.retry, self._assignment)
        if kind.out_of_memory:  # not the process to call hooks in
            self._outcome = verdict.failed()
            return error
        await self._hooks.each("on_error", error=error)
        verdict = await self._caught(verdict)
        final = verdict.delay is None
        if final:
            await self._hooks.each("on_failure", error=verdict.error)
            await self._hooks.each("on_complete", result=RunResult(False, error=verdict.error))
        logged(await self._hooks.cleanup())
        self._outcome = verdict.failed(hooked=final and self._hooks.chain.fires_on_failure)
        return verdict.error

    async def _caught(self, verdict: Verdict) -> Verdict:
        """The verdict of the first `catch_error` that has one, else the one there is."""
        if not verdict.kind.caught:
            return verdict
        policy, offered = self._task.retry, verdict.offered()
        for hook in self._hooks.of("catch_error"):
            try:
                decision = await self._calls.hook(
                    hook, {**self._hooks.values, **offered, "retry": policy}
                )
                if decision is not None:
                    return verdict.decided(decision, str(hook))
            except BaseException as raised:
                problem = genuine(raised)
                following(problem, verdict.error)
                return verdict_on(problem, BAD_HANDLER, policy, self._assignment)
        return verdict

    async def _middleware_raised(self, error: BaseException) -> None:
        """Before `next()`, or after it: an attempt that failed anyway keeps its own error."""
        if self._outcome is None or isinstance(self._outcome, Succeeded):
            self._error = await self._stopped(error, BAD_MIDDLEWARE)
        else:
            logged(error, "A middleware")

    def _overdue(self) -> str:
        limit = self._assignment.max_duration
        allowed = "its max_duration" if limit is None else f"its max_duration of {limit:g} seconds"
        return f"The run executed longer than {allowed}."

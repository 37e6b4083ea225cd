"""The steps of one attempt, in the order of docs/lifecycle.md."""

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

from engine.execution.assignment import Assignment
from engine.execution.calls import Calls
from engine.execution.failures import describe
from engine.execution.outcomes import Canceled, Failed, Interrupted, Outcome, Succeeded
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
from engine.sdk import values
from engine.sdk.context import Context
from engine.sdk.errors import TaskRunCanceled, TaskRunStopped, TaskRunTimedOut
from engine.sdk.hookkinds import Hook, RunResult, Wait
from engine.sdk.hooks import chain
from engine.sdk.tasks import Task
from runs import conf
from runs.states import RunStatus

log = logging.getLogger("trackside.hooks")

#: What ends a body that was told to stop.
STOPPED = (TaskRunStopped, asyncio.CancelledError)


class Attempt:
    """One attempt: parse the payload, surround it with middleware, run hooks and body, decide.

    What a step raises is an outcome of the attempt; `outcome` is the latest and the one that counts.
    """

    def __init__(
        self, task: Task[Any, Any], assignment: Assignment, ctx: Context, calls: Calls
    ) -> None:
        self._task, self._assignment, self._ctx, self._calls = task, assignment, ctx, calls
        self._chain = chain(task.own_hooks)
        self._values: dict[str, Any] = {
            "ctx": ctx,
            "task": task.id,
            "signal": ctx._signal,
            "init": None,
        }
        self._outcome: Outcome | None = None
        #: The error that `next()` raises through the middleware.
        self._error: BaseException | None = None
        #: Until the attempt has begun there is nothing to clean up.
        self._cleaned = True

    @property
    def _reason(self) -> str:
        """Why the attempt was told to stop, or empty."""
        return self._ctx._signal.reason

    def run(self) -> Outcome:
        """Go through all steps. Never raises."""
        try:
            self._ended()
            self._calls.settle_open(self._ctx._open)
        except BaseException as mistake:  # ours, or an error that cannot even be described
            return Failed(describe(mistake), None, RunStatus.SYSTEM_FAILURE)
        assert self._outcome is not None  # every way through `_ended` sets it
        return self._outcome

    def _ended(self) -> None:
        try:
            self._values["payload"] = self._task.schema.parse(self._assignment.payload)
        except BaseException as error:
            self._values["payload"] = unparsed(self._assignment.payload)
            self._fail(error, BAD_INPUT)
            return
        try:
            self._surrounded(self._chain["middleware"])
        except BaseException as error:
            if error is not self._error:
                self._middleware_raised(error)

    # -- around and inside ------------------------------------------------------------------------

    def _surrounded(self, middleware: tuple[Hook, ...]) -> None:
        if middleware:
            outermost, *others = middleware
            rest = tuple(others)
            self._calls.around(outermost, self._values, lambda: self._surrounded(rest))
        else:
            self._inside()

    def _inside(self) -> None:
        """The attempt without its middleware; raises what it failed with."""
        self._cleaned = False
        try:
            self._start()
            result = self._called()
        except BaseException as error:
            self._error = self._stopped(error, kind_of(error))
        else:
            self._error = self._returned(result)
        if self._error is not None:
            raise self._error

    def _start(self) -> None:
        for hook in self._chain["init"]:
            result = self._calls.hook(hook, self._values, interruptible=True)
            self._values["init"] = merged(self._values["init"], result)
        starts = self._chain["on_start"] if self._assignment.attempt == 1 else ()
        for hook in (*starts, *self._chain["on_start_attempt"]):
            self._calls.hook(hook, self._values, interruptible=True)

    def _called(self) -> Any:
        body, payload, init = self._task.body, self._values["payload"], self._values["init"]
        return self._calls.interruptible(lambda: body.call(payload, self._ctx, init), body.is_async)

    # -- how it ended -----------------------------------------------------------------------------

    def _returned(self, result: Any) -> BaseException | None:
        """A body that returns has finished, unless it was asked to stop for good."""
        if self._reason == "cancel":
            return self._canceled(RunResult(True, result), None)
        if self._reason == "timeout":
            return self._timed_out(TaskRunTimedOut())
        try:
            limit = conf.get("OUTPUT_LIMIT")
            output = None if result is None else values.dumps(result, limit)
        except BaseException as error:
            return self._fail(error, BAD_OUTPUT)
        problem = self._succeeded(result) if self._chain.by_kind else None
        if problem is not None:
            return self._fail(problem, kind_of(problem))
        self._outcome = Succeeded(output)
        return None

    def _succeeded(self, result: Any) -> BaseException | None:
        """Call the hooks of a success; returns what fails it all the same."""
        self._each("on_success", output=result)
        self._each("on_complete", result=RunResult(True, result))
        return self._cleanup()

    def _stopped(self, error: BaseException, kind: Kind) -> BaseException | None:
        """A step raised: because it was told to stop, or by itself."""
        if self._reason == "cancel":
            return self._canceled(RunResult(False, error=error), error)
        if self._reason == "timeout":
            return self._timed_out(error)
        if self._reason == "shutdown" and is_stop(error):
            self._logged(self._cleanup())
            self._outcome = Interrupted("The cluster is stopping.")
            return error
        return self._fail(error, kind)

    def _canceled(self, run: RunResult, error: BaseException | None) -> BaseException | None:
        self._each("on_cancel", run=run)
        canceled = RunResult(False, error=TaskRunCanceled("The run was canceled."))
        self._each("on_complete", result=canceled)
        self._logged(self._cleanup())
        told = None if error is None or isinstance(error, STOPPED) else describe(error)
        self._outcome = Canceled(told, hooked=self._chain.fires_on_cancel)
        return error

    def _timed_out(self, error: BaseException) -> BaseException:
        """Its time is over: the final hooks are called by another worker, with time of their own."""
        self._logged(self._cleanup())
        verdict = verdict_on(error, TIMED_OUT, self._task.retry, self._assignment)
        self._outcome = verdict.failed(self._overdue())
        return error

    def _fail(self, error: BaseException, kind: Kind) -> BaseException:
        """The attempt failed: decide what follows, tell the hooks, and return the error it has."""
        verdict = verdict_on(error, kind, self._task.retry, self._assignment)
        if kind.out_of_memory:  # not the process to call hooks in
            self._outcome = verdict.failed()
            return error
        self._each("on_error", error=error)
        verdict = self._caught(verdict)
        final = verdict.delay is None
        if final:
            self._each("on_failure", error=verdict.error)
            self._each("on_complete", result=RunResult(False, error=verdict.error))
        self._logged(self._cleanup())
        self._outcome = verdict.failed(hooked=final and self._chain.fires_on_failure)
        return verdict.error

    def _caught(self, verdict: Verdict) -> Verdict:
        """The verdict of the first `catch_error` that has one, else the one there is."""
        if not verdict.kind.caught:
            return verdict
        policy, offered = self._task.retry, verdict.offered()
        for hook in self._chain["catch_error"]:
            try:
                decision = self._calls.hook(hook, {**self._values, **offered, "retry": policy})
                if decision is not None:
                    return verdict.decided(decision, str(hook))
            except BaseException as problem:
                following(problem, verdict.error)
                return verdict_on(problem, BAD_HANDLER, policy, self._assignment)
        return verdict

    def _middleware_raised(self, error: BaseException) -> None:
        """Before `next()`, or after it: an attempt that failed anyway keeps its own error."""
        if self._outcome is None or isinstance(self._outcome, Succeeded):
            self._error = self._stopped(error, BAD_MIDDLEWARE)
        else:
            self._logged(error, "A middleware")

    def _overdue(self) -> str:
        limit = self._assignment.max_duration
        allowed = "its max_duration" if limit is None else f"its max_duration of {limit:g} seconds"
        return f"The run executed longer than {allowed}."

    # -- hooks ------------------------------------------------------------------------------------

    def about_to_wait(self, wait: Wait) -> None:
        """The run is about to leave its worker."""
        self._each("on_wait", until_one_fails=True, wait=wait)

    def resumed(self, wait: Wait) -> None:
        """The run is back from a wait, its body about to go on."""
        self._each("on_resume", until_one_fails=True, wait=wait)

    def _each(self, kind: str, *, until_one_fails: bool = False, **facts: Any) -> None:
        """Call the hooks of a kind; what one raises is logged, and changes nothing."""
        for hook in self._chain[kind]:
            try:
                self._calls.hook(hook, {**self._values, **facts})
            except BaseException as error:
                self._logged(error, str(hook))
                if until_one_fails:
                    return

    def _cleanup(self) -> BaseException | None:
        """Once in an attempt; what the first one raised that did."""
        hooks, self._cleaned = () if self._cleaned else self._chain["cleanup"], True
        for hook in hooks:
            try:
                self._calls.hook(hook, self._values)
            except BaseException as error:
                return error
        return None

    def _logged(self, error: BaseException | None, whose: str = "A cleanup hook") -> None:
        if error is not None:
            log.error("%s raised an error, which changes nothing.", whose, exc_info=error)


def merged(before: Any, result: Any) -> Any:
    """What several `init` hooks returned: mappings are merged, else the last that says something."""
    if result is None:
        return before
    both = isinstance(before, Mapping) and isinstance(result, Mapping)
    return {**before, **result} if both else result


def unparsed(payload: str | None) -> Any:
    """The payload as plain JSON, for hooks of a run whose schema refuses it."""
    try:
        return None if payload is None else json.loads(payload)
    except ValueError:
        return payload


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

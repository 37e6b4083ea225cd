"""The final hooks of a run that ended where its own process could not call them."""

from dataclasses import dataclass
from typing import Any

from engine.execution.assignment import Assignment
from engine.execution.calls import Calls, genuine
from engine.execution.hooked import Hooked, logged, unparsed
from engine.execution.outcomes import Concluded
from engine.sdk.context import Context
from engine.sdk.errors import TaskRunCanceled, TaskRunEnded
from engine.sdk.hookkinds import Hook, RunResult
from engine.sdk.tasks import Task
from runs.states import RunStatus


@dataclass(frozen=True, slots=True)
class End:
    """How the run stands: its final status, its stored error, and the reason for its status."""

    status: str
    error: dict[str, Any]
    reason: str = ""


class Conclusion:
    """Middleware around, then on_failure or on_cancel, then on_complete: as in the attempt itself."""

    def __init__(
        self,
        task: Task[Any, Any],
        assignment: Assignment,
        ctx: Context,
        calls: Calls,
        end: End,
    ) -> None:
        self._calls, self._ctx = calls, ctx
        self._canceled = end.status == RunStatus.CANCELED
        # what a canceled run has stored is the error of an earlier attempt
        self._error = TaskRunEnded(end.status, {} if self._canceled else end.error, end.reason)
        self._hooks = Hooked(task, ctx, calls)
        self._hooks.values |= {
            "payload": payload_of(task, assignment),
            "error": self._error,
            "run": RunResult(False, error=self._error),
            "result": RunResult(False, error=self._final_error()),
        }
        self._called: list[str] = []
        self._problems: list[str] = []
        self._interrupted = False

    def _final_error(self) -> BaseException:
        return TaskRunCanceled(self._error.message) if self._canceled else self._error

    async def run(self) -> Concluded:
        """Call them all. Never raises."""
        try:
            await self._hooks.surrounding(self._inside)
        except BaseException as error:
            if error is not self._error:
                self._note("middleware", error)
        if not self._called and not self._interrupted:
            await (
                self._call_all()
            )  # a middleware failed before its `next()`: the hooks are called all the same
        return Concluded(tuple(self._called), tuple(self._problems), self._interrupted)

    async def _inside(self) -> None:
        await self._call_all()
        raise self._error

    async def _call_all(self) -> None:
        ended = "on_cancel" if self._canceled else "on_failure"
        for hook in (*self._hooks.chain[ended], *self._hooks.chain["on_complete"]):
            if not self._interrupted:
                await self._call(hook)

    async def _call(self, hook: Hook) -> None:
        self._called.append(hook.kind)
        try:
            await self._calls.hook(hook, self._hooks.values, interruptible=True)
        except BaseException as error:
            self._note(str(hook), error)

    def _note(self, whose: str, error: BaseException) -> None:
        self._interrupted = self._ctx._signal.reason == "shutdown"
        if not self._interrupted:
            self._problems.append(f"The {whose} raised {type(genuine(error)).__name__}.")
            logged(error, f"The {whose}")


def payload_of(task: Task[Any, Any], assignment: Assignment) -> Any:
    """The payload as the body would get it, or plain JSON where the schema refuses it."""
    try:
        return task.schema.parse(assignment.payload)
    except BaseException:
        return unparsed(assignment.payload)

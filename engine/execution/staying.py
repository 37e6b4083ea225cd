"""A body that stays in its process while it waits and another run executes there.

Its frames are kept, so nothing it did before is done again. That is only for bodies nobody would
miss an end and a new beginning of: what the other run finds has to be as a fresh attempt finds it,
and what this one comes back to as it left it. Any other body is left, and begins from the top.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context as Variables
from typing import TypeVar

from engine.execution.assignment import Assignment, run_info
from engine.execution.calls import Calls
from engine.execution.capture import Capture
from engine.execution.hygiene import Snapshot
from engine.execution.watching import Guest
from engine.sdk import context, durable
from engine.sdk.context import Context
from engine.sdk.hooks import chain
from engine.sdk.tasks import Task

#: Hooks that are called around a wait, or around everything between two waits.
AROUND_WAITS = ("middleware", "on_wait", "on_resume", "init", "cleanup")
R = TypeVar("R")


class Spot:
    """Where a body stands in its process."""

    def __init__(
        self,
        task: Task[object, object],
        ctx: Context,
        calls: Calls,
        capture: Capture,
        clean: Snapshot,
    ) -> None:
        self._task, self._ctx, self._calls = task, ctx, calls
        self._capture, self._clean = capture, clean

    @property
    def is_quiet(self) -> bool:
        """Whether the body may stay: it has changed nothing here, and nothing of it goes on."""
        if self._task.body.is_async or self._calls.has_loop or is_surrounded(self._task, self._ctx):
            return False
        return self._capture.is_untouched and self._clean.is_kept()

    def aside(self, variables: Variables, work: Callable[[], R]) -> R:
        """Do work that has nothing to do with this body. It is told nothing meanwhile."""
        if "_notes" in self._ctx.__dict__:
            self._ctx._notes.close()
        limit = sys.getrecursionlimit()
        with context.apart(), durable.apart():
            try:
                sys.setrecursionlimit(limit + depth())
                return variables.run(work)
            finally:
                sys.setrecursionlimit(limit)

    def come_back(self, assignment: Assignment) -> None:
        """Its wait is over: what was noted on the run meanwhile is the body's to see."""
        self._ctx._renew(run_info(assignment))


class SharedSpot:
    """Where a coroutine stands in a process that many share."""

    def __init__(
        self, task: Task[object, object], ctx: Context, guest: Guest, own: Executor
    ) -> None:
        self._task, self._ctx, self._guest, self._own = task, ctx, guest, own

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of it goes on while it is suspended."""
        others = self._guest.tasks - {asyncio.current_task()}
        return not others and not is_surrounded(self._task, self._ctx)

    async def settle(self) -> None:
        """What it noted is stored, by the thread of its own."""
        if "_notes" in self._ctx.__dict__:
            close = self._ctx._notes.close
            await asyncio.get_running_loop().run_in_executor(self._own, close)

    def come_back(self, assignment: Assignment) -> None:
        """Its wait is over: what was noted on the run meanwhile is the body's to see."""
        self._ctx._renew(run_info(assignment))


def is_surrounded(task: Task[object, object], ctx: Context) -> bool:
    """Whether something is to happen when the body leaves or comes back, or goes on without it."""
    hooks = chain(task.own_hooks)
    around = any(hooks[kind] for kind in AROUND_WAITS)
    return bool(ctx._open or ctx._hooks or ctx._signal.reason or around)


def depth() -> int:
    """How many calls this code is in."""
    frame, count = sys._getframe(), 0
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count

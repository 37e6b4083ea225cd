"""Attempts of `async def` tasks that share a process: all of them go on in one event loop.

An attempt gets a thread of its own when something needs one. It calls plain hooks, which therefore
hold nobody up, and executes what asgiref's `sync_to_async` is given, so that Django's connections
belong to one attempt. The body and every other coroutine run in the loop.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from contextvars import Context as Variables
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.db import connections

from engine.execution import traced
from engine.execution.assignment import context_of
from engine.execution.attempt import Attempt
from engine.execution.calls import Calls, Function, Next, Raising, genuine, raised_by, wrapped
from engine.execution.capture import LogSink
from engine.execution.executor import Once, segment_of, why_missing
from engine.execution.interrupts import Control, Delivery
from engine.execution.outcomes import Missing, Outcome
from engine.execution.routing import routed
from engine.execution.staying import SharedSpot
from engine.execution.watching import Guest, begun
from engine.registry import registry
from engine.sdk.context import Context, executing
from engine.sdk.errors import STOPS
from engine.sdk.keeper import Keeper
from engine.sdk.replay import Replay
from runs import conf

#: Seconds that what a body left running gets to end when it is canceled.
LEFTOVER_SECONDS = 5.0
#: Of a context: what is stored when the attempt ends, which takes a connection.
STORED = {"_notes", "_streams"}

# -- the attempt's thread -------------------------------------------------------------------------


class OwnThread(Executor):
    """The thread of an attempt, which does what it is given whenever it waits."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        if self._closed:
            raise RuntimeError("The attempt has ended; nothing of it can be executed any more.")
        future: Future[Any] = Future()
        self._jobs.put(lambda: carry_out(future, lambda: fn(*args, **kwargs)))
        if self._thread is None:
            self._thread = threading.Thread(
                target=self.serve, args=[lambda: self._closed], name="trackside-run", daemon=True
            )
            self._thread.start()
        return future

    async def does(self, job: Function) -> Any:
        """Do this with the context variables of who asks, who sees what it sets."""
        variables = copy_context()
        try:
            return await asyncio.wrap_future(self.submit(variables.run, job))
        finally:
            for variable, value in variables.items():
                if variable.get(None) is not value:
                    variable.set(value)

    def serve(self, is_over: Callable[[], bool]) -> None:
        """Do what comes until it is over; `wake` makes it look."""
        while not is_over():
            self._jobs.get()()

    def wake(self) -> None:
        self._jobs.put(lambda: None)

    def adopt(self) -> None:
        """From now on what `sync_to_async` is given in this context comes here."""
        ours = ThreadSensitiveContext()
        SyncToAsync.thread_sensitive_context.set(ours)
        SyncToAsync.context_to_thread_executor[ours] = (
            self  # for as long as anybody has the context
        )

    async def close(self) -> None:
        """Do what is left, and nothing more."""
        if self._thread is not None:
            await asyncio.wrap_future(self.submit(self._end))
        self._closed = True

    def _end(self) -> None:
        connections.close_all()
        self._closed = True


def carry_out(future: "Future[Any]", job: Function) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except BaseException as error:
        future.set_exception(wrapped(error))


class SharedDelivery(Delivery):
    """Carries the word to stop into coroutines.

    Into a thread nothing can be raised: plain code is stopped before it begins, else it has to watch
    `ctx.signal`.
    """

    def call(self, body: Callable[[], Any]) -> Any:
        self.look()
        if self.reason:
            raise STOPS[self.reason](f"The run was stopped: {self.reason}.")
        return body()

    def shielded(self) -> nullcontext[None]:  # type: ignore[override]
        """A coroutine is canceled where it awaits, and our steps do not."""
        return nullcontext()


class SharedCalls(Calls):
    """The calls of one attempt: coroutines in the shared loop, everything else in its thread."""

    def __init__(self, delivery: Delivery, own: OwnThread, guest: Guest) -> None:
        super().__init__(delivery)
        self._own, self._guest = own, guest
        self._shared = asyncio.get_running_loop()

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self._shared

    async def _plain(self, function: Function) -> Any:
        return await self._own.does(function)

    async def _until(self, future: "asyncio.Future[Any]") -> Any:
        return await future

    async def _within(self, variables: Variables, steps: Raising) -> BaseException | None:
        return await begun(self._guest, steps, variables)

    def _proceeding(self, following: Next) -> Function:
        def proceed() -> None:
            raised: list[BaseException | None] = []

            def end(steps: "asyncio.Task[BaseException | None]") -> None:
                raised.append(steps.result())
                self._own.wake()

            def begin(variables: Variables) -> None:
                steps = begun(self._guest, raised_by(following.proceed()), variables)
                steps.add_done_callback(end)

            self._shared.call_soon_threadsafe(begin, copy_context())
            self._own.serve(lambda: bool(raised))
            if raised[0] is not None:
                raise genuine(raised[0])

        return proceed


async def ended(guest: Guest) -> None:
    """Cancel what the body left running, and wait for it, but not for ever."""
    for task in guest.tasks:
        task.cancel()
    if guest.tasks:
        await asyncio.wait(guest.tasks, timeout=LEFTOVER_SECONDS)


async def execute(
    guest: Guest, logs: LogSink, control: Control, keeper: Keeper | None = None
) -> Outcome:
    """Run one segment of an attempt, as `executor.execute` does; awaited in a task of its own: `begun`.

    The process stays as it is left: whoever changes it changes it for all.
    """
    assignment = guest.assignment
    task = registry.get(assignment.task_id)
    if task is None:
        return Missing(why_missing(assignment.task_id))
    ctx, own = context_of(assignment, task.source.file), OwnThread()
    own.adopt()
    guest.delivery = delivery = SharedDelivery(control, ctx)
    replay, lines = None, logs
    if keeper is not None:
        run, attempt, resumed = assignment.run_id, assignment.attempt, assignment.resumed
        replay = Replay(keeper, run, attempt, resumed=resumed, may_block=False)
        replay.shared_spot = SharedSpot(task, ctx, guest, own)
        lines = Once(logs, replay) if resumed else logs
    ctx._segments.append(segment_of(logs, replay, nullcontext))
    with routed(lines, conf.get("LOG_LINES_PER_ATTEMPT")) as guest.lines, executing(ctx):
        calls = SharedCalls(delivery, own, guest)
        outcome = await Attempt(task, assignment, ctx, calls, replay).run()
        await close(ctx, own)
        await ended(guest)
        await own.close()
    if ctx._segments[0].is_exporting:
        traced.tell(assignment, ctx, outcome)
    return outcome


async def close(ctx: Context, own: OwnThread) -> None:
    """The body has ended: what it noted is stored."""
    if STORED & ctx.__dict__.keys():
        await own.does(ctx._close)
    else:
        ctx._close()

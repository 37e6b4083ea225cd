"""Attempts of `async def` tasks that share a process: their coroutines run in one event loop.

Each attempt has a thread of its own besides. It goes through the steps of the attempt, calls plain
hooks, which therefore hold nobody up, and executes what asgiref's `sync_to_async` is given, so that
Django's connections belong to one attempt. The body and every other coroutine run in the loop.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, nullcontext
from contextvars import Context as Variables
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from engine.execution import traced
from engine.execution.assignment import context_of
from engine.execution.attempt import Attempt
from engine.execution.calls import Calls, Function, Next, named, retrieve, wrapped
from engine.execution.capture import LogSink
from engine.execution.executor import Once, segment_of, why_missing
from engine.execution.interrupts import Control, Delivery
from engine.execution.outcomes import Missing, Outcome
from engine.execution.routing import routed
from engine.execution.staying import SharedSpot
from engine.execution.watching import Guest, guest_here
from engine.registry import registry
from engine.sdk.context import executing
from engine.sdk.errors import STOPS
from engine.sdk.hookkinds import Hook
from engine.sdk.keeper import Keeper
from engine.sdk.replay import Replay
from runs import conf

#: Seconds that what a body left running gets to end when it is canceled.
LEFTOVER_SECONDS = 5.0

# -- the attempt's thread -------------------------------------------------------------------------


class OwnThread(Executor):
    """The thread of an attempt, which does what it is given whenever it waits."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        if self._closed:
            raise RuntimeError("The attempt has ended; nothing of it can be executed any more.")
        future: Future[Any] = Future()
        self._jobs.put(lambda: carry_out(future, lambda: fn(*args, **kwargs)))
        return future

    def serve(self, is_over: Callable[[], bool]) -> None:
        """Do what comes until it is over; `wake` makes it look."""
        while not is_over():
            self._jobs.get()()

    def wake(self) -> None:
        self._jobs.put(lambda: None)

    @contextmanager
    def adopted(self) -> Iterator[None]:
        """While entered, what `sync_to_async` is given in this context comes here."""
        ours = ThreadSensitiveContext()
        token = SyncToAsync.thread_sensitive_context.set(ours)
        SyncToAsync.context_to_thread_executor[ours] = self
        try:
            yield
        finally:
            self._closed = True
            self.wake()
            self.serve(self._jobs.empty)
            del SyncToAsync.context_to_thread_executor[ours]
            SyncToAsync.thread_sensitive_context.reset(token)


def carry_out(future: "Future[Any]", job: Function) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except BaseException as error:
        future.set_exception(error)


class Started:
    """A coroutine that was given to the loop, seen from the attempt's thread."""

    def __init__(self, own: OwnThread) -> None:
        self._own = own
        self.task: asyncio.Task[Any] | None = None
        self.is_done = False

    def begin(
        self, loop: asyncio.AbstractEventLoop, code: Coroutine[Any, Any, Any], context: Variables
    ) -> None:
        self.task = loop.create_task(code, context=context)
        self.task.add_done_callback(self._end)

    def _end(self, _: "asyncio.Task[Any]") -> None:
        self.is_done = True
        self._own.wake()

    def result(self) -> Any:
        """Wait for its end; returns or raises what it did."""
        self._own.serve(lambda: self.is_done)
        assert self.task is not None  # it is done
        return self.task.result()


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

    def __init__(
        self, delivery: Delivery, loop: asyncio.AbstractEventLoop, own: OwnThread, guest: Guest
    ) -> None:
        super().__init__(delivery)
        self._shared, self._own, self._guest = loop, own, guest

    def __exit__(self, *_: object) -> None:
        """Cancel what the body left running."""
        if self._guest.tasks:
            self._awaited(ended(self._guest))

    def _begun(self, code: Coroutine[Any, Any, Any], context: Variables) -> Started:
        started = Started(self._own)
        self._shared.call_soon_threadsafe(started.begin, self._shared, code, context)
        return started

    def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        started = self._begun(self._listed(coroutine), copy_context())
        return started.result()

    async def _listed(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None
        self._running.append(task)
        try:
            return await coroutine
        finally:
            self._running.remove(task)

    def _around_async(self, middleware: Hook, values: dict[str, Any], following: Next) -> None:
        loop, context, asked = self._shared, copy_context(), []
        passed = loop.create_future()
        passed.add_done_callback(self._follow_cancel)

        async def proceed() -> None:
            following.enter()
            asked.append(True)
            self._own.wake()
            await passed

        code = middleware.call(values | named(proceed))
        started = self._begun(self._delivery.cancelable(code), context)
        self._own.serve(lambda: started.is_done or bool(asked))
        if asked:
            self._delivery.rest()
            error = raised_by(lambda: context.copy().run(following.inner))
            loop.call_soon_threadsafe(settle, passed, error)
        try:
            started.result()
        finally:
            retrieve(passed)


def raised_by(inner: Function) -> BaseException | None:
    try:
        inner()
    except BaseException as error:
        return error
    return None


def settle(passed: "asyncio.Future[None]", error: BaseException | None) -> None:
    """Let the future say how what is inside ended, unless nobody waits for it any more."""
    if passed.done():
        return
    if error is None:
        passed.set_result(None)
    else:
        passed.set_exception(wrapped(error))


async def ended(guest: Guest) -> None:
    """Cancel the guest's tasks, and wait for them, but not for ever."""
    left = guest.tasks - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=LEFTOVER_SECONDS)


def execute(
    guest: Guest,
    logs: LogSink,
    control: Control,
    loop: asyncio.AbstractEventLoop,
    keeper: Keeper | None = None,
) -> Outcome:
    """Run one segment of an attempt, as `executor.execute` does, in this thread and in `loop`.

    The process stays as it is left: whoever changes it changes it for all.
    """
    return copy_context().run(carried_out, guest, logs, control, loop, keeper)


def carried_out(
    guest: Guest,
    logs: LogSink,
    control: Control,
    loop: asyncio.AbstractEventLoop,
    keeper: Keeper | None,
) -> Outcome:
    assignment = guest.assignment
    task = registry.get(assignment.task_id)
    if task is None:
        return Missing(why_missing(assignment.task_id))
    guest_here.set(guest)
    ctx, own = context_of(assignment, task.source.file), OwnThread()
    delivery = SharedDelivery(control, ctx)
    replay, lines = None, logs
    if keeper is not None:
        run, attempt, resumed = assignment.run_id, assignment.attempt, assignment.resumed
        replay = Replay(keeper, run, attempt, resumed=resumed, may_block=False)
        lines = Once(logs, replay) if resumed else logs
    ctx._segments.append(segment_of(logs, replay, nullcontext))
    with (
        routed(lines, conf.get("LOG_LINES_PER_ATTEMPT")) as guest.lines,
        executing(ctx),
        own.adopted(),
        SharedCalls(delivery, loop, own, guest) as calls,
    ):
        guest.delivery = delivery
        if replay is not None:
            replay.shared_spot = SharedSpot(task, ctx, guest, own)
        outcome = Attempt(task, assignment, ctx, calls, replay).run()
        ctx._close()
    if ctx._segments[0].is_exporting:
        traced.tell(assignment, ctx, outcome)
    return outcome

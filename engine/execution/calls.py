"""Calls the functions of one attempt one after the other, plain and coroutine ones mixed.

The steps of an attempt are coroutines, which nothing here suspends: `driven` goes through them in one
go. All coroutines of the author share one event loop, made for the first of them. It stands still
while plain code runs, so plain code is interrupted as such. An async middleware stays suspended at
`await next()` while what it surrounds runs, plain or not.
"""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context as Variables
from contextvars import copy_context
from typing import Any, TypeVar

from engine.execution.interrupts import Delivery
from engine.sdk.hookkinds import Hook
from engine.sdk.spans import Trace

Function = Callable[[], Any]
#: The rest of an attempt.
Steps = Callable[[], Coroutine[Any, Any, None]]
Raising = Coroutine[Any, Any, BaseException | None]
R = TypeVar("R")
#: Seconds an attempt stays open for what it gave to `keep_open` (WU-1).
OPEN_SECONDS = 60.0
#: Kinds of hooks that no code repeats after a wait.
EVERY_SEGMENT = {"on_wait", "on_resume", "cleanup"}


class Calls:
    """The calls of one attempt. `close` ends its event loop."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._runner: asyncio.Runner | None = None
        self._running: list[asyncio.Task[Any]] = []

    def __enter__(self) -> "Calls":
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None:
            self._runner.close()

    @property
    def has_loop(self) -> bool:
        """Whether coroutines of this attempt have been called."""
        return self._runner is not None

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.get_loop()

    async def interruptible(self, function: Function, is_async: bool) -> Any:
        """Call what is raised into when the run is told to stop: the body, and what precedes it."""
        if is_async:
            return await self._awaited(self._delivery.cancelable(function()))
        return await self._plain(lambda: self._delivery.call(function))

    async def hook(
        self, hook: Hook, values: Mapping[str, Any], *, interruptible: bool = False
    ) -> Any:
        """Call a hook to its end; unless `interruptible`, a stop leaves it alone."""
        with traced(hook):
            if interruptible:
                answer = await self.interruptible(lambda: hook.call(values), hook.is_async)
            elif hook.is_async:
                answer = hook.call(values)
            else:
                answer = await self._plain(lambda: hook.call(values))
            return await self._awaited(answer) if inspect.iscoroutine(answer) else answer

    async def _plain(self, function: Function) -> Any:
        return function()

    async def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        task = self._loop.create_task(coroutine)
        self._running.append(task)
        try:
            return await self._until(task)
        finally:
            self._running.remove(task)

    async def _until(self, future: "asyncio.Future[Any]") -> Any:
        return self._loop.run_until_complete(future)

    async def _within(self, variables: Variables, steps: Raising) -> BaseException | None:
        """Go through these with these context variables; what they raised."""
        return variables.run(driven, steps)

    async def around(self, middleware: Hook, values: dict[str, Any], inner: Steps) -> None:
        """Call a middleware, whose `next` calls `inner` and raises what that raises."""
        following = Next(str(middleware), inner, self._delivery)
        with traced(middleware):
            if middleware.is_async:
                await self._around_async(middleware, values, following)
            else:
                offered = values | named(self._proceeding(following))
                await self._plain(lambda: self._delivery.call(lambda: middleware.call(offered)))
            following.check()

    def _proceeding(self, following: "Next") -> Function:
        """`next` of a plain middleware."""
        return lambda: driven(following.proceed())

    async def _around_async(
        self, middleware: Hook, values: dict[str, Any], following: "Next"
    ) -> None:
        loop, context = self._loop, copy_context()
        asked, ended = loop.create_future(), loop.create_future()
        ended.add_done_callback(self._follow_cancel)

        async def proceed() -> None:
            following.enter()
            asked.set_result(None)
            await ended

        coroutine = middleware.call(values | named(proceed))
        task = loop.create_task(self._delivery.cancelable(coroutine), context=context)
        try:
            await self._until(loop.create_task(first_of(task, asked)))
            if asked.done():
                self._delivery.rest()
                settle(ended, await self._within(context.copy(), raised_by(following.inner())))
            await self._until(task)
        finally:
            retrieve(task)
            retrieve(ended)

    def _follow_cancel(self, ended: "asyncio.Future[None]") -> None:
        """A middleware that no longer waits, as after a time-out, cancels what it surrounds."""
        if ended.cancelled() and self._running:
            self._running[-1].cancel()

    async def settle_open(self, left_open: list[Any]) -> None:
        """Wait for what the attempt stays open for, at most a minute; how it ends is nobody's."""
        if left_open:
            await self._awaited(all_of(left_open))


def driven(steps: Coroutine[Any, Any, R]) -> R:
    """Go through steps none of which has to wait."""
    try:
        steps.send(None)
    except StopIteration as end:
        result: R = end.value
        return result
    except RuntimeError as raised:
        error = genuine(raised)
        if error is raised:
            raise
    else:
        steps.close()
        error = RuntimeError("A step of an attempt waited in a process of its own.")
    raise error


def genuine(error: BaseException) -> BaseException:
    """What was raised: no coroutine can raise a StopIteration, which becomes the cause of another."""
    cause = error.__cause__
    is_disguised = isinstance(error, RuntimeError) and isinstance(cause, StopIteration)
    return cause if is_disguised and cause is not None else error


def traced(hook: Hook) -> Trace:
    """The span of one call of a hook. Some are called in every segment, each time anew."""
    facts = {"hook.name": hook.name, "hook.source": hook.scope}
    place = ("hook", hook.kind, time.time_ns()) if hook.kind in EVERY_SEGMENT else ()
    return Trace(hook.kind, "hook", facts, place)


def named(proceed: Callable[[], Any]) -> dict[str, Any]:
    return {"next": proceed, "call_next": proceed}


class Next:
    """The rest of the attempt, to be called once."""

    def __init__(self, owner: str, inner: Steps, delivery: Delivery) -> None:
        self.inner, self._owner, self._delivery, self._entered = inner, owner, delivery, False

    async def proceed(self) -> None:
        self.enter()
        self._delivery.rest()
        await self.inner()

    def enter(self) -> None:
        if self._entered:
            raise RuntimeError(f"The {self._owner} called next() twice.")
        self._entered = True

    def check(self) -> None:
        """Raise if it was never called: the body did not run."""
        if not self._entered:
            raise RuntimeError(f"The {self._owner} returned without calling next().")


async def first_of(*futures: "asyncio.Future[Any]") -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def raised_by(steps: Coroutine[Any, Any, None]) -> BaseException | None:
    try:
        await steps
    except BaseException as error:
        return error
    return None


def settle(ended: "asyncio.Future[None]", error: BaseException | None) -> None:
    """Let the future say how what is inside ended, unless nobody waits for it any more."""
    if ended.done():
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(wrapped(error))


def wrapped(error: BaseException) -> BaseException:
    """A future cannot carry StopIteration: see `genuine`."""
    if not isinstance(error, StopIteration):
        return error
    carrying = RuntimeError(repr(error))
    carrying.__cause__ = error
    return carrying


def retrieve(future: "asyncio.Future[Any]") -> None:
    """Look at the exception, so that asyncio does not report it as overlooked."""
    if future.done() and not future.cancelled():
        future.exception()


async def all_of(things: list[Any]) -> None:
    futures = [asyncio.ensure_future(awaitable(thing)) for thing in things]
    _, late = await asyncio.wait(futures, timeout=OPEN_SECONDS)
    for future in late:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)


def awaitable(thing: Any) -> Any:
    """An awaitable is one; a future of a thread pool becomes one."""
    return thing if inspect.isawaitable(thing) else asyncio.wrap_future(thing)

"""Turns calls into methods: of a thread's client, or of an event loop's."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from trackside.driving import Awaiting, Blocking
from trackside.steps import Call, Items

P = ParamSpec("P")
T = TypeVar("T")


class Bound:
    """A group of calls of a Client."""

    def __init__(self, driver: Blocking) -> None:
        self._driver = driver


class AsyncBound:
    """A group of calls of an AsyncClient."""

    def __init__(self, driver: Awaiting) -> None:
        self._driver = driver


def once(call: Callable[P, Call[T]]) -> Callable[Concatenate[Any, P], T]:
    """A method that returns what the call ends in."""

    @wraps(call)
    def method(self: Bound, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._driver.run(call(*args, **kwargs))

    return method


def each(call: Callable[P, Items[T]]) -> Callable[Concatenate[Any, P], Iterator[T]]:
    """A method that returns an iterator of the call's items."""

    @wraps(call)
    def method(self: Bound, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self._driver.each(call(*args, **kwargs))

    return method


def aonce(call: Callable[P, Call[T]]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """The same, to be awaited."""

    @wraps(call)
    async def method(self: AsyncBound, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._driver.run(call(*args, **kwargs))

    return method


def aeach(call: Callable[P, Items[T]]) -> Callable[Concatenate[Any, P], AsyncIterator[T]]:
    """The same for `async for`."""

    @wraps(call)
    def method(self: AsyncBound, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self._driver.each(call(*args, **kwargs))

    return method

"""Waits of coroutines: what is awaited at once is waited for in its place."""

import inspect
import opcode
import sys
from collections.abc import Awaitable, Callable, Generator
from types import FrameType
from typing import Any, Generic, TypeVar

R = TypeVar("R")
#: The package whose functions are called by bodies and pass on what they return.
INSIDE = __name__.rpartition(".")[0]
AWAIT, CACHE = opcode.opmap["GET_AWAITABLE"], opcode.opmap["CACHE"]


class Awaiting(Generic[R]):
    """Stands for what a wait returns, in a coroutine that awaits it at once."""

    def __init__(self, waited: Callable[[], Awaitable[None]], then: Callable[[], R]) -> None:
        self._waited, self._then = waited, then

    def __await__(self) -> Generator[Any, Any, R]:
        yield from self._waited().__await__()
        return self._then()


def is_awaited() -> bool:
    """Whether the coroutine that called in here awaits the answer as its very next step.

    Plain calls work in coroutines too. They cannot be suspended, so they must not get a promise.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(INSIDE):
        frame = frame.f_back
    if frame is None or not frame.f_code.co_flags & inspect.CO_COROUTINE:
        return False
    code, at = frame.f_code.co_code, frame.f_lasti + 2
    while code[at : at + 1] == bytes([CACHE]):
        at += 2
    return code[at : at + 1] == bytes([AWAIT])

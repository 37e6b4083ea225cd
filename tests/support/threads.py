"""Many callers at once."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def together(callers: Iterable[Callable[[], T]]) -> list[T]:
    """Call all in threads of their own that begin at the same moment; their answers in order."""
    callers = list(callers)
    barrier = threading.Barrier(len(callers))

    def call(caller: Callable[[], T]) -> T:
        try:
            barrier.wait(30)
            return caller()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(callers)) as pool:
        return list(pool.map(call, callers))

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(predicate: Callable[[], T], within: float = 10.0, every: float = 0.02) -> T:
    """The first truthy value of `predicate`; fails if there is none within so many seconds."""
    deadline = time.monotonic() + within
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"Not true within {within:g} s; last value: {value!r}")
        time.sleep(every)
    return value

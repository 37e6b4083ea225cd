"""Database calls from code that an event loop runs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def blocking() -> Iterator[None]:
    """Django refuses its database in an event loop, lest it block other work there.

    In here it may: the call is short, and the body that makes it goes on only when it is answered.
    """
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)

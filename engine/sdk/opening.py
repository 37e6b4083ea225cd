"""`wait_until`: an attempt that stays open until something in the background is done."""

import asyncio
import inspect
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Any

from engine.sdk.context import current


def wait_until(thing: Awaitable[Any] | Future[Any]) -> None:
    """Keep the attempt open after its body and hooks until `thing` is done, at most 60 seconds.

    An awaitable, or a future of a thread pool. How it ends changes nothing.

    Example:
        wait_until(executor.submit(send_metrics, order))
    """
    ctx = current()
    if ctx is None:
        raise LookupError("wait_until belongs into a run; this code belongs to none.")
    if inspect.iscoroutine(thing) and is_in_loop():
        thing = asyncio.ensure_future(thing)
    ctx._open.append(thing)


def is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

"""Held requests are answered when the process is told to stop.

The server waits for them before it says anything to the application, so the signal itself is heard,
and handed on to whoever heard it before.
"""

import asyncio
import logging
import resource
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

#: Sockets a process may have open, where the system lets it.
FILES = 65_536


def on_stop(call: Callable[[], None]) -> None:
    """Have `call` made in the running loop on SIGTERM and SIGINT."""
    raise_file_limit()
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            _chain(number, loop, call)


def expect_cut_answers() -> None:
    """The server calls it an error that an answer breaks off; from now on that is meant."""
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return "without completing response" not in record.getMessage()


def _chain(
    number: signal.Signals, loop: asyncio.AbstractEventLoop, call: Callable[[], None]
) -> None:
    before: Any = signal.getsignal(number)

    def heard(received: int, frame: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(call)
        if callable(before):
            before(received, frame)
        elif before == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    signal.signal(number, heard)


def raise_file_limit() -> None:
    """As many open files as the system allows: a subscriber is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

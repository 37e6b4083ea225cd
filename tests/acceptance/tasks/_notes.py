"""What bodies write down outside of the database: who entered and left when, one JSON line each."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine import current


def note(what: str, **facts: Any) -> None:
    """Append one line in one write, so that no process ever splits another's."""
    ctx = current()
    assert ctx is not None
    line = {
        "what": what,
        "run": ctx.run.id,
        "attempt": ctx.attempt.number,
        "queue": f"{ctx.queue.name}:{ctx.run.concurrency_key or ''}",
        "pid": os.getpid(),
        "at": time.time(),
        "tick": time.monotonic(),
        **facts,
    }
    ledger = os.open(os.environ["TEST_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(ledger)


@contextmanager
def noted() -> Iterator[None]:
    """Enter and exit of a body."""
    note("enter")
    try:
        yield
    finally:
        note("exit")

"""Which asyncio task code runs in."""

import asyncio
from typing import Any


def task_now() -> "asyncio.Task[Any] | None":
    """The asyncio task this code runs in, None outside of an event loop."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None

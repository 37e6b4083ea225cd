"""What the helper for tests cannot do."""

import asyncio

from engine.sdk.context import current


class TracksideError(AssertionError):
    """The test asks for something that cannot be; says what to do instead."""


def refuse_loops() -> None:
    """Attempts have an event loop of their own, which cannot run inside another."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    if current() is None:
        raise TracksideError(
            "The test is a coroutine. Make it a plain function (def test_...): trackside executes "
            "async tasks by itself."
        )

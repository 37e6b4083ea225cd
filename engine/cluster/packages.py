"""What travels through a worker's inbox, besides django-q2's word to end."""

from collections.abc import Callable
from typing import Any

#: What executes a run, for who cannot import it; looking it up by name takes a moment.
EXECUTE = "engine.cluster.worker.execute"


def package(
    slot: int,
    run_id: str,
    token: str,
    func: Callable[..., None] | str = EXECUTE,
    *,
    is_run: bool = True,
) -> dict[str, Any]:
    """A task for the worker on this slot, as django-q2's loop takes it."""
    return {
        "id": run_id,
        "name": run_id,
        "func": func,
        "is_run": is_run,
        "args": (run_id, token),
        "kwargs": {},
        "slot": slot,
        "timeout": -1,
    }

"""Where a run's concurrency key comes from when its trigger states none."""

from typing import Any

from runs.errors import InvalidOption
from runs.keypaths import parse


def checked_key(key: Any, *, by_itself: bool = False) -> Any:
    """A function of the payload, or a path into it. Raises InvalidOption.

    `by_itself` says that a schedule or a webhook triggers the task: where that happens nobody can
    call its function, and runs without a key would share one limit.
    """
    if key is None:
        return None
    if not callable(key):
        parse(str(key))
    elif by_itself:
        raise InvalidOption(
            "concurrency_key",
            "The key of a task with a schedule or a webhook is a place in the payload, as "
            "$.customer.id: no task code is at hand to call a function where they make their runs.",
        )
    return key

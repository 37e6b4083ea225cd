"""Where a run's concurrency key comes from when its trigger states none."""

import inspect
from collections.abc import Callable
from typing import Any

from runs.errors import InvalidOption
from runs.keypaths import parse


def takes_one(function: Callable[..., Any]) -> bool:
    """Whether it can be called with a payload and answers at once, as far as can be told."""
    if inspect.iscoroutinefunction(function):
        return False
    try:
        inspect.signature(function).bind(None)
    except ValueError:  # some of C's do not say
        return True
    except TypeError:
        return False
    return True


def checked_key(key: Any, *, by_itself: bool = False) -> Any:
    """A function of the payload, or a path into it. Raises InvalidOption.

    `by_itself` says that a schedule or a webhook triggers the task: where that happens nobody can
    call its function, and runs without a key would share one limit.
    """
    if key is None:
        return None
    if not callable(key):
        parse(str(key))
    elif not takes_one(key):
        raise InvalidOption(
            "concurrency_key",
            f"The function of a concurrency_key takes the payload and returns the key; got {key!r:.100}.",
        )
    elif by_itself:
        raise InvalidOption(
            "concurrency_key",
            "The key of a task with a schedule or a webhook is a place in the payload, as "
            "$.customer.id: no task code is at hand to call a function where they make their runs.",
        )
    return key

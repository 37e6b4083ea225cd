"""`retry(...)`: how often, and how soon, a failed run of a task is tried again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine.sdk.machines import preset_name
from runs.durations import seconds
from runs.errors import InvalidOption
from runs.retries import ALIASES, RetryPolicy

NAMES = ("max_attempts", "factor", "min_timeout", "max_timeout", "randomize", "out_of_memory")


def retry(
    *,
    max_attempts: int = 3,
    factor: float = 2.0,
    min_timeout: float | str | timedelta = 1.0,
    max_timeout: float | str | timedelta = 60.0,
    randomize: bool = True,
    out_of_memory: Mapping[str, Any] | None = None,
) -> RetryPolicy:
    """Try a failed run again: `max_attempts` times in total, waiting longer each time.

    After attempt n the wait is `min_timeout * factor ** (n - 1)`, up to twice that with
    `randomize`, and never more than `max_timeout`. `out_of_memory={"machine": "large-1x"}` gives a
    run that ran out of memory one more try on a larger machine.

    Example:
        @task(retry=retry(max_attempts=10, factor=1.8, min_timeout=0.5, max_timeout=30))
        def fetch(payload): ...
    """
    return RetryPolicy(
        max_attempts=max_attempts,
        factor=factor,
        min_timeout=seconds(min_timeout, "retry.min_timeout"),
        max_timeout=seconds(max_timeout, "retry.max_timeout"),
        randomize=bool(randomize),
        out_of_memory_machine=_larger_machine(out_of_memory),
    )


def as_policy(value: RetryPolicy | Mapping[str, Any] | None) -> RetryPolicy:
    """The policy of a task's `retry=`: the object, a dict with the same names, or the default."""
    if isinstance(value, RetryPolicy):
        return value
    if value is None:
        return RetryPolicy()
    options = {ALIASES.get(name, name): _in_seconds(name, given) for name, given in value.items()}
    if unknown := sorted(set(options) - set(NAMES)):
        raise InvalidOption("retry", f"retry knows {', '.join(NAMES)}; not {', '.join(unknown)}.")
    return retry(**options)


def _in_seconds(name: str, given: Any) -> Any:
    return seconds(given, f"retry.{name}") / 1000 if name in ALIASES else given


def _larger_machine(out_of_memory: Mapping[str, Any] | None) -> str:
    if out_of_memory is None:
        return ""
    if set(out_of_memory) != {"machine"}:
        raise InvalidOption("retry", 'retry.out_of_memory is {"machine": "<preset>"}.')
    return preset_name(out_of_memory["machine"])

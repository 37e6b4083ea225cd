"""`queue(...)`: where runs stand in line, and how many of them may execute at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.sdk.unknown import only_known, refuse_unknown
from runs.errors import InvalidOption
from runs.rates import RateLimit, as_rate

MAX_LIMIT = 100_000
MAX_NAME = 128
OPTIONS = ("name", "concurrency_limit", "total_limit", "rate_limit")


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue declared in code. Limits of None are unlimited, 0 lets nothing start.

    `rate_limit` spaces the starts of each concurrency key.

    `declared` is False for a queue that was only named: its limits are set elsewhere.
    """

    name: str
    concurrency_limit: int | None = None
    total_limit: int | None = None
    rate_limit: RateLimit | None = None
    declared: bool = True


@only_known
def queue(
    name: str,
    *,
    concurrency_limit: int | None = None,
    total_limit: int | None = None,
    rate_limit: RateLimit | Mapping[str, Any] | str | None = None,
) -> Queue:
    """Declare a queue that several tasks may share.

    With concurrency keys `concurrency_limit` bounds each key and `total_limit` their sum.
    `rate_limit` is how many runs of each key may start in a time, at an even pace: "100/1m", or
    `RateLimit(100, per="1m", burst=10)`.

    Example:
        one_at_a_time = queue("one-at-a-time", concurrency_limit=1)

        @task(queue=one_at_a_time)
        def post(payload): ...
    """
    cleaned = clean_name(name)
    try:
        return Queue(
            cleaned,
            _limit("concurrency_limit", concurrency_limit),
            _limit("total_limit", total_limit),
            as_rate(rate_limit),
        )
    except InvalidOption as error:
        raise InvalidOption(error.option, f"Queue “{cleaned}”: {error}") from None


def as_queue(value: Queue | Mapping[str, Any] | str | None, task_id: str) -> Queue:
    """The queue of a task's `queue=`; a task that names none has its own, `task/<id>`."""
    if isinstance(value, Queue):
        return value
    if isinstance(value, str):
        return Queue(clean_name(value), declared=False)
    if value is not None and not isinstance(value, Mapping):
        raise InvalidOption(
            "queue", f"queue is queue(...), its name, or a dict; got {value!r:.80}."
        )
    options = dict(value or {})
    refuse_unknown(options, OPTIONS, "queue", "queue")
    own = own_name(task_id)
    return queue(options.pop("name", None) or own, **options)


def own_name(task_id: str) -> str:
    """The name of the queue a task has when it names none."""
    return f"task/{task_id}"[:MAX_NAME]


def clean_name(name: object) -> str:
    """The name, if it is one: letters, digits, `_`, `-`, `/`, `.`, `:` or spaces (QD-4)."""
    if isinstance(name, str) and name.startswith("task/") and len(name) <= MAX_NAME:
        return name
    if not isinstance(name, str) or not re.fullmatch(r"[\w./: -]{1,128}", name, re.ASCII):
        raise InvalidOption(
            "queue",
            "A queue name has 1 to 128 letters, digits, spaces or any of _ - / . :"
            f"; got {str(name)[:60]!r}.",
        )
    return name


def _limit(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_LIMIT:
        return value
    raise InvalidOption(name, f"{name} must be 0 to {MAX_LIMIT}; got {value!r}.")

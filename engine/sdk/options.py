"""Options of a trigger: as people write them, and checked (features.md 9.2)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Required, TypedDict, cast

from django.utils.dateparse import parse_datetime

from engine.runtime import LaunchOptions
from engine.sdk import values
from engine.sdk.errors import UnsupportedValue
from engine.sdk.idempotency import IdempotencyKey, bound
from engine.sdk.machines import preset_name
from engine.sdk.queues import Queue, clean_name
from engine.sdk.unknown import refuse_unknown
from runs import durations, limits
from runs.debounce import LEADING, Debounce
from runs.durations import seconds
from runs.errors import InvalidOption

Duration = float | str | timedelta


class DebounceOptions(TypedDict, total=False):
    """Triggers of a task with one key become one run, `delay` after the last of them."""

    #: At most 512 characters.
    key: Required[str]
    #: At least 1 second.
    delay: Required[Duration]
    #: "leading" (default) keeps what the first trigger asked for, "trailing" takes the last one's
    #: payload, metadata, tags, max_attempts, max_duration and machine.
    mode: Literal["leading", "trailing"]
    #: Start it at the latest so long after the first trigger.
    max_delay: Duration


class TriggerOptions(TypedDict, total=False):
    """What `.trigger(payload, **options)` takes. Durations: seconds, `timedelta` or "1h30m"."""

    #: Start later: a duration, a moment with a time zone, or ISO 8601 text.
    delay: Duration | datetime
    #: Expire if not started this long after it was queued; 0 switches the task's default off.
    ttl: Duration
    idempotency_key: str | Sequence[str] | IdempotencyKey
    idempotency_key_ttl: Duration
    tags: str | Sequence[str]
    metadata: Mapping[str, Any]
    queue: str | Queue
    concurrency_key: str | int
    #: Seconds of head start over runs triggered at the same time.
    priority: float
    max_attempts: int
    max_duration: Duration
    machine: str | Mapping[str, Any]
    version: str
    #: Make one run of many triggers: see `DebounceOptions`.
    debounce: DebounceOptions
    #: Mark the run as a test; runs that a test run triggers are tests too.
    test: bool


def checked(given: Mapping[str, Any]) -> LaunchOptions:
    """The options in the engine's form; None means not given. Raises InvalidOption."""
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name not in CHECKS:
            refuse_unknown([name], CHECKS, "A trigger")
        if value is not None:
            options |= CHECKS[name](value)
    return cast("LaunchOptions", options)


def tag_tuple(value: object, whose: str = "A run") -> tuple[str, ...]:
    """One tag or several, in order, each once."""
    tags = [value] if isinstance(value, str) else value
    if isinstance(tags, (list, tuple, set, frozenset)) and all(isinstance(t, str) for t in tags):
        ordered = sorted(tags) if isinstance(tags, (set, frozenset)) else tags
        found = tuple(dict.fromkeys(ordered))
        limits.tags(found, whose)
        return found
    raise InvalidOption("tags", f"tags is text or a list of texts; got {value!r:.60}.")


def whole_number(name: str, value: object, least: int | None = None) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidOption(name, f"{name} must be a whole number; got {value!r:.60}.")
    return value if least is None else max(value, least)


#: Beyond every bound.
FARTHEST = 1e300


def number(name: str, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        raise InvalidOption(name, f"{name} must be a number; got {value!r:.60}.")
    return float(max(min(value, FARTHEST), -FARTHEST))  # no float holds every int


def priority(value: object) -> float:
    """Seconds of head start; negative ones let others go first."""
    wanted, most = number("priority", value), limits.MOST_PRIORITY
    if not -most <= wanted <= most:
        raise InvalidOption(
            "priority", f"priority must be {-most:.0f} to {most:.0f}; got {value!r:.40}."
        )
    return wanted


def text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidOption(name, f"{name} must be text; got {value!r:.60}.")
    return value


def flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidOption(name, f"{name} is True or False; got {value!r:.60}.")
    return value


def key_text(value: object) -> str:
    """A concurrency key: text, or a number as text (CK-3)."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return text("concurrency_key", value)


def _delay(value: object) -> float | datetime:
    if isinstance(value, datetime):
        return _aware(value)
    if isinstance(value, str) and (moment := _moment(value)) is not None:
        return _aware(moment)
    return seconds(value, "delay")


def _moment(value: str) -> datetime | None:
    try:
        return parse_datetime(value)
    except ValueError:
        return None


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidOption(
            "delay",
            f"A delay given as a moment needs a time zone, as in {moment.isoformat()}+00:00.",
        )
    return moment


def _idempotency(value: object) -> dict[str, Any]:
    key = bound(value)
    return {"idempotency_key": key.text, "idempotency_scope": key.scope}


def _metadata(value: object) -> str:
    if not isinstance(value, Mapping):
        raise InvalidOption("metadata", f"metadata must be a dict; got {value!r:.60}.")
    try:
        return values.dumps(value)
    except UnsupportedValue as error:
        raise InvalidOption("metadata", f"metadata: {error}") from error


def _queue(value: object) -> str:
    return value.name if isinstance(value, Queue) else clean_name(value)


def _version(value: object) -> str:
    if not (version := text("version", value)):
        raise InvalidOption("version", "version is text that is not empty; leave it out for any.")
    return version


def _debounce(value: object) -> Debounce:
    if not isinstance(value, Mapping) or not {"key", "delay"} <= set(value) <= DEBOUNCE:
        raise InvalidOption(
            "debounce",
            "debounce is {'key': ..., 'delay': ...}, with mode and max_delay if wanted; "
            f"got {value!r:.60}.",
        )
    longest = value.get("max_delay")
    return Debounce(
        text("debounce.key", value["key"]),
        seconds(value["delay"], "debounce.delay"),
        text("debounce.mode", value.get("mode", LEADING)),
        None if longest is None else seconds(longest, "debounce.max_delay"),
    )


DEBOUNCE = {"key", "delay", "mode", "max_delay"}
CHECKS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "delay": lambda value: {"delay": _delay(value)},
    "ttl": lambda value: {"ttl": seconds(value, "ttl")},
    "idempotency_key": _idempotency,
    "idempotency_key_ttl": lambda value: {"idempotency_ttl": seconds(value, "idempotency_key_ttl")},
    "tags": lambda value: {"tags": tag_tuple(value)},
    "metadata": lambda value: {"metadata": _metadata(value)},
    "queue": lambda value: {"queue": _queue(value)},
    "concurrency_key": lambda value: {"concurrency_key": key_text(value)},
    "priority": lambda value: {"priority": priority(value)},
    "max_attempts": lambda value: {"max_attempts": whole_number("max_attempts", value, 1)},
    "max_duration": lambda value: {"max_duration": durations.limit(value)},
    "machine": lambda value: {"machine": preset_name(value)},
    "version": lambda value: {"version": _version(value)},
    "debounce": lambda value: {"debounce": _debounce(value)},
    "test": lambda value: {"is_test": flag("test", value)},
}

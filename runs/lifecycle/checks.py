"""What callers hand in, refused by name when it is out of range or cannot be stored."""

from datetime import UTC, datetime

from runs import conf, payloads, tracing
from runs.debounce import LEAST, LONGEST, MODES, Debounce
from runs.errors import InvalidOption, InvalidPayload, PayloadTooLarge
from runs.lifecycle.options import TriggerItem, TriggerOptions
from runs.limits import MOST_PRIORITY
from runs.limits import tags as tags
from runs.limits import text as text

MACHINES = ("micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x")
SCOPES = ("run", "attempt", "global")
FAR_FUTURE = 100 * 366 * 86400.0
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
#: Lowest and highest value of each number.
RANGES = {
    "priority": (-MOST_PRIORITY, MOST_PRIORITY),
    "ttl": (0.0, FAR_FUTURE),
    "idempotency_ttl": (0.0, FAR_FUTURE),
    "max_duration": (0.0, FAR_FUTURE),
    "max_attempts": (-(2.0**31), 250.0),
}
#: Fewer attempts than one are one (features.md RET-6).
SAID = {"max_attempts": 1}
#: Longest text of each option, in characters.
LENGTHS = {
    "queue": 128,
    "concurrency_key": 9000,
    "idempotency_key": 9000,
    "version": 64,
    "parent_id": 30,
    "schedule_id": 32,
    "tracestate": tracing.STATE_CHARACTERS,
    "metadata": None,
}


def item(asked: TriggerItem) -> None:
    """Raise InvalidOption for the first option that is out of its range."""
    options = asked.options
    for name, longest in LENGTHS.items():
        text(name, getattr(options, name), longest)
    tags(options.tags)
    _numbers(options)
    _metadata(options.metadata)
    _delay(options.delay)
    if options.debounce is not None:
        debounce(options.debounce)
        if options.delay not in (None, options.debounce.delay):
            raise InvalidOption("delay", "A debounced run has the delay of its debounce.")
    if options.machine is not None and options.machine not in MACHINES:
        raise InvalidOption(
            "machine", f"machine is one of {', '.join(MACHINES)}; got {options.machine!r:.40}."
        )
    if options.traceparent is not None and tracing.parsed(options.traceparent) is None:
        raise InvalidOption("traceparent", "traceparent is as 00-<trace id>-<span id>-01 (W3C).")
    if options.idempotency_scope not in SCOPES:
        raise InvalidOption(
            "idempotency_scope",
            f"The scope is one of {', '.join(SCOPES)}; got {options.idempotency_scope!r:.40}.",
        )


def task_id(wanted: str) -> None:
    """Raise InvalidOption for what cannot be a task's id."""
    if not 0 < len(wanted) <= 256:
        raise InvalidOption("task", "A task id has 1 to 256 characters.")
    text("task", wanted)


def _numbers(options: TriggerOptions) -> None:
    for name, (low, high) in RANGES.items():
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise InvalidOption(
                name,
                f"{name} must be {SAID.get(name, low):,.0f} to {high:,.0f}; got {value!r:.40}.",
            )
    if options.max_attempts is not None and options.max_attempts != int(options.max_attempts):
        raise InvalidOption(
            "max_attempts", f"max_attempts must be a whole number; got {options.max_attempts}."
        )


def _metadata(metadata: str | None) -> None:
    if metadata is None:
        return
    try:
        payloads.clean(metadata, limit=conf.get("METADATA_LIMIT"))
    except PayloadTooLarge as error:
        limit = conf.get("METADATA_LIMIT")
        problem = f"metadata has {len(metadata):,} bytes; the limit is {limit:,}."
        raise InvalidOption("metadata", problem) from error
    except InvalidPayload as error:
        raise InvalidOption(
            "metadata", f"metadata: {str(error).replace('The payload', 'It')}"
        ) from error
    if not metadata.lstrip().startswith("{"):
        raise InvalidOption("metadata", "metadata must be a JSON object.")


def _delay(delay: float | datetime | None) -> None:
    if isinstance(delay, datetime):
        moment("delay", delay)
    elif delay is not None and not 0 <= delay <= FAR_FUTURE:
        raise InvalidOption("delay", f"delay must be from 0 seconds to 100 years; got {delay:g}.")


def debounce(asked: Debounce) -> None:
    """Raise InvalidOption for a debounce that cannot be."""
    text("debounce.key", asked.key, LONGEST)
    if not asked.key:
        raise InvalidOption("debounce", f"A debounce key has 1 to {LONGEST} characters; got none.")
    if asked.mode not in MODES:
        raise InvalidOption(
            "debounce", f"A debounce mode is one of {', '.join(MODES)}; got {asked.mode!r:.40}."
        )
    if not LEAST <= asked.delay <= FAR_FUTURE:
        raise InvalidOption(
            "debounce",
            f"A debounce delay is at least 1 second, at most 100 years; got {asked.delay:g} seconds.",
        )
    if asked.max_delay is not None and not asked.delay < asked.max_delay <= FAR_FUTURE:
        raise InvalidOption(
            "debounce",
            f"max_delay must be longer than the debounce delay, and at most 100 years; got {asked.max_delay:g} seconds.",
        )


def moment(name: str, value: datetime) -> None:
    """A moment both databases can store and compare."""
    if value.tzinfo is None:
        raise InvalidOption(name, f"{name} given as a moment needs a time zone; got {value}.")
    if value > LATEST:
        raise InvalidOption(name, f"{name} is too far in the future: {value.year}.")

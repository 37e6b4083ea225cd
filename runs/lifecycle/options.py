"""What callers hand to the lifecycle verbs and what they get back."""

from dataclasses import dataclass, field
from datetime import datetime

from runs.debounce import Debounce
from runs.limits import MAX_TAGS as MAX_TAGS

IDEMPOTENCY_TTL = 30 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerOptions:
    """How a run is to be made. None always means "the task's default".

    Durations are seconds. `delay` is seconds from now or an aware datetime (in the past: at once).
    `ttl` counts from when the run is queued; 0 switches a default off. `metadata` is the JSON text
    of an object. `version` pins a version. `debounce` sets the delay.
    """

    queue: str | None = None
    concurrency_key: str | None = None
    delay: float | datetime | None = None
    ttl: float | None = None
    idempotency_key: str | None = None
    idempotency_scope: str = "global"
    idempotency_ttl: float = IDEMPOTENCY_TTL
    tags: tuple[str, ...] | None = None
    metadata: str | None = None
    priority: float | None = None
    max_attempts: int | None = None
    max_duration: float | None = None
    machine: str | None = None
    version: str | None = None
    debounce: Debounce | None = None
    is_test: bool = False
    parent_id: str | None = None
    #: The lease under which its parent asks, where that is to find the run again after a wait.
    parent_token: str | None = None
    schedule_id: str | None = None
    #: The moment by which it takes its place in its queue, if that is not now: when it should have fired.
    turn: datetime | None = None
    #: What to do about open runs of its task and key; None is the task's policy.
    overlap: str | None = None
    #: Its parent waits for its end.
    awaited: bool = False
    batch_id: str | None = None
    #: Where the caller is in its trace (`runs.tracing`).
    traceparent: str | None = None
    tracestate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerItem:
    """One run to make. `payload` is JSON text that `runs.payloads.clean` has accepted, or None."""

    task_id: str
    payload: str | None = None
    options: TriggerOptions = field(default_factory=TriggerOptions)


@dataclass(frozen=True, slots=True)
class Triggered:
    """The run that answers a trigger.

    `is_cached`: none was made, it is an earlier one, which an idempotency key or a debounce found, or
    with `is_skipped` the task's overlap policy. `is_held`: it waits until runs of its task have ended.
    """

    run_id: str
    is_cached: bool = False
    is_skipped: bool = False
    is_held: bool = False

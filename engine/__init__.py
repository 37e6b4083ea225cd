"""What task authors import.

```python
from engine import task


@task
def hello(payload):
    return f"Hello, {payload['name']}!"


hello.trigger({"name": "world"})
```
"""

from engine.registry import DuplicateTaskIds, DuplicateWebhooks
from engine.sdk.batches import BatchInfo
from engine.sdk.context import Context, current
from engine.sdk.defaults import defaults
from engine.sdk.deliveries import Delivery
from engine.sdk.errors import (
    AbortTaskRunError,
    CannotWaitHere,
    InvalidTask,
    OutOfMemoryError,
    StepFailed,
    SubtaskUnwrapError,
    Suspend,
    TaskRunCanceled,
    TaskRunEnded,
    TaskRunInterrupted,
    TaskRunStopped,
    TaskRunTimedOut,
    UnsupportedValue,
    WaitpointFailedError,
    WaitpointTimeoutError,
)
from engine.sdk.handles import BatchHandle, Handle
from engine.sdk.hookkinds import ErrorDecision, HookOptions, RunResult, Wait
from engine.sdk.hooks import hooks
from engine.sdk.idempotency import IdempotencyKey, idempotency_key, idempotency_keys
from engine.sdk.locals import LocalKey, locals  # noqa: A004  the reference's name
from engine.sdk.logs import logger
from engine.sdk.metadata import metadata, tags
from engine.sdk.opening import wait_until
from engine.sdk.queues import queue
from engine.sdk.results import BatchResult, First, Result, RunError, TokenResult
from engine.sdk.retries import retry
from engine.sdk.running import runs
from engine.sdk.schedules import schedules
from engine.sdk.spans import span
from engine.sdk.steps import step
from engine.sdk.streams import StreamWriter, streams
from engine.sdk.tasks import Task, batch, task, tasks
from engine.sdk.timetables import ScheduledPayload, schedule
from engine.sdk.tokens import Token
from engine.sdk.tracer import Span
from engine.sdk.usage import CurrentUsage, Measured, usage
from engine.sdk.waits import wait
from engine.sdk.webhooks import webhook
from runs.errors import IllegalTransition, InvalidOption, InvalidPayload, NotFound
from runs.rates import RateLimit
from runs.retries import RetryPolicy

__all__ = [
    "AbortTaskRunError",
    "BatchHandle",
    "BatchInfo",
    "BatchResult",
    "CannotWaitHere",
    "Context",
    "CurrentUsage",
    "Delivery",
    "DuplicateTaskIds",
    "DuplicateWebhooks",
    "ErrorDecision",
    "First",
    "Handle",
    "HookOptions",
    "IdempotencyKey",
    "IllegalTransition",
    "InvalidOption",
    "InvalidPayload",
    "InvalidTask",
    "LocalKey",
    "Measured",
    "NotFound",
    "OutOfMemoryError",
    "RateLimit",
    "Result",
    "RetryPolicy",
    "RunError",
    "RunResult",
    "ScheduledPayload",
    "Span",
    "StepFailed",
    "StreamWriter",
    "SubtaskUnwrapError",
    "Suspend",
    "Task",
    "TaskRunCanceled",
    "TaskRunEnded",
    "TaskRunInterrupted",
    "TaskRunStopped",
    "TaskRunTimedOut",
    "Token",
    "TokenResult",
    "UnsupportedValue",
    "Wait",
    "WaitpointFailedError",
    "WaitpointTimeoutError",
    "batch",
    "current",
    "defaults",
    "hooks",
    "idempotency_key",
    "idempotency_keys",
    "locals",
    "logger",
    "metadata",
    "queue",
    "retry",
    "runs",
    "schedule",
    "schedules",
    "span",
    "step",
    "streams",
    "tags",
    "task",
    "tasks",
    "usage",
    "wait",
    "wait_until",
    "webhook",
]

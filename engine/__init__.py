"""What task authors import.

```python
from engine import task


@task
def hello(payload):
    return f"Hello, {payload['name']}!"


hello.trigger({"name": "world"})
```
"""

from engine.registry import DuplicateTaskIds
from engine.sdk.context import Context, current
from engine.sdk.defaults import defaults
from engine.sdk.errors import (
    AbortTaskRunError,
    CannotWaitHere,
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
    WaitpointTimeoutError,
)
from engine.sdk.hookkinds import ErrorDecision, HookOptions, RunResult, Wait
from engine.sdk.hooks import hooks
from engine.sdk.idempotency import idempotency_key
from engine.sdk.locals import LocalKey, locals  # noqa: A004  the reference's name
from engine.sdk.logs import logger
from engine.sdk.metadata import metadata, tags
from engine.sdk.opening import wait_until
from engine.sdk.queues import queue
from engine.sdk.results import BatchResult, First, Result, RunError, TokenResult
from engine.sdk.retries import retry
from engine.sdk.schedules import schedules
from engine.sdk.steps import step
from engine.sdk.tasks import Handle, Task, task, tasks
from engine.sdk.timetables import ScheduledPayload, schedule
from engine.sdk.tokens import Token
from engine.sdk.waits import wait
from runs.errors import InvalidOption, InvalidPayload
from runs.rates import RateLimit
from runs.retries import RetryPolicy

__all__ = [
    "AbortTaskRunError",
    "BatchResult",
    "CannotWaitHere",
    "Context",
    "DuplicateTaskIds",
    "ErrorDecision",
    "First",
    "Handle",
    "HookOptions",
    "InvalidOption",
    "InvalidPayload",
    "LocalKey",
    "OutOfMemoryError",
    "RateLimit",
    "Result",
    "RetryPolicy",
    "RunError",
    "RunResult",
    "ScheduledPayload",
    "StepFailed",
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
    "WaitpointTimeoutError",
    "current",
    "defaults",
    "hooks",
    "idempotency_key",
    "locals",
    "logger",
    "metadata",
    "queue",
    "retry",
    "schedule",
    "schedules",
    "step",
    "tags",
    "task",
    "tasks",
    "wait",
    "wait_until",
]

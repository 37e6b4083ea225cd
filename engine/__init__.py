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
from engine.sdk.errors import (
    AbortTaskRunError,
    CannotWaitHere,
    OutOfMemoryError,
    StepFailed,
    SubtaskUnwrapError,
    Suspend,
    TaskRunCanceled,
    TaskRunInterrupted,
    TaskRunStopped,
    TaskRunTimedOut,
    UnsupportedValue,
    WaitpointTimeoutError,
)
from engine.sdk.idempotency import idempotency_key
from engine.sdk.logs import logger
from engine.sdk.queues import queue
from engine.sdk.results import BatchResult, First, Result, RunError, TokenResult
from engine.sdk.retries import retry
from engine.sdk.steps import step
from engine.sdk.tasks import Handle, Task, task, tasks
from engine.sdk.tokens import Token
from engine.sdk.waits import wait
from runs.errors import InvalidOption, InvalidPayload
from runs.retries import RetryPolicy

__all__ = [
    "AbortTaskRunError",
    "BatchResult",
    "CannotWaitHere",
    "Context",
    "DuplicateTaskIds",
    "First",
    "Handle",
    "InvalidOption",
    "InvalidPayload",
    "OutOfMemoryError",
    "Result",
    "RetryPolicy",
    "RunError",
    "StepFailed",
    "SubtaskUnwrapError",
    "Suspend",
    "Task",
    "TaskRunCanceled",
    "TaskRunInterrupted",
    "TaskRunStopped",
    "TaskRunTimedOut",
    "Token",
    "TokenResult",
    "UnsupportedValue",
    "WaitpointTimeoutError",
    "current",
    "idempotency_key",
    "logger",
    "queue",
    "retry",
    "step",
    "task",
    "tasks",
    "wait",
]

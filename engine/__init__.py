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
    OutOfMemoryError,
    TaskRunCanceled,
    TaskRunInterrupted,
    TaskRunStopped,
    TaskRunTimedOut,
    UnsupportedValue,
)
from engine.sdk.idempotency import idempotency_key
from engine.sdk.logs import logger
from engine.sdk.metadata import metadata, tags
from engine.sdk.queues import queue
from engine.sdk.retries import retry
from engine.sdk.schedules import schedules
from engine.sdk.tasks import Handle, Task, task, tasks
from engine.sdk.timetables import ScheduledPayload, schedule
from runs.errors import InvalidOption, InvalidPayload
from runs.retries import RetryPolicy

__all__ = [
    "AbortTaskRunError",
    "Context",
    "DuplicateTaskIds",
    "Handle",
    "InvalidOption",
    "InvalidPayload",
    "OutOfMemoryError",
    "RetryPolicy",
    "ScheduledPayload",
    "Task",
    "TaskRunCanceled",
    "TaskRunInterrupted",
    "TaskRunStopped",
    "TaskRunTimedOut",
    "UnsupportedValue",
    "current",
    "idempotency_key",
    "logger",
    "metadata",
    "queue",
    "retry",
    "schedule",
    "schedules",
    "tags",
    "task",
    "tasks",
]

"""The stored nouns, one per file."""

from runs.models.access import ApiKey, AuditLog
from runs.models.attempt import Attempt
from runs.models.event import Event, EventKind, LogLine
from runs.models.finalhooks import FinalHooks
from runs.models.idempotency import Idempotency
from runs.models.journal import Journal
from runs.models.queue import Bucket, Queue, QueueKind
from runs.models.run import Run, RunTag, Source
from runs.models.slot import NEVER, Lease, Ready
from runs.models.task import Task
from runs.models.waitpoint import Waiter, Waitpoint
from runs.models.worker import SessionState, WorkerSession

__all__ = [
    "NEVER",
    "ApiKey",
    "Attempt",
    "AuditLog",
    "Bucket",
    "Event",
    "EventKind",
    "FinalHooks",
    "Idempotency",
    "Journal",
    "Lease",
    "LogLine",
    "Queue",
    "QueueKind",
    "Ready",
    "Run",
    "RunTag",
    "SessionState",
    "Source",
    "Task",
    "Waiter",
    "Waitpoint",
    "WorkerSession",
]

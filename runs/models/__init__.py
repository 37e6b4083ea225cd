"""The stored nouns, one per file."""

from runs.models.access import (
    GRANTS,
    OF_TASKS,
    ApiKey,
    AuditLog,
    Payloads,
    RequestWindow,
    Role,
)
from runs.models.alert import (
    AlertChannel,
    AlertDelivery,
    AlertHit,
    AlertMark,
    AlertRule,
    ChannelKind,
    DeliveryStatus,
    RuleKind,
)
from runs.models.attempt import Attempt
from runs.models.attention import PendingCancel, RunNote
from runs.models.batch import Batch
from runs.models.bulk import BulkAction, BulkKind, BulkRun, BulkStatus
from runs.models.codeversion import CodeVersion
from runs.models.debounced import Debounced
from runs.models.envvar import EnvRevision, EnvVar
from runs.models.errors import (
    ErrorCount,
    ErrorEvent,
    ErrorGroup,
    Failure,
    GroupChange,
    GroupStatus,
)
from runs.models.event import Event, EventKind, LogLine
from runs.models.finalhooks import FinalHooks
from runs.models.idempotency import Idempotency
from runs.models.journal import Journal
from runs.models.keeping import Pin, RetentionRule
from runs.models.queue import Bucket, Queue, QueueKind
from runs.models.rollup import Depth, Facet, Rollup, RollupMark, Step, Total
from runs.models.run import Run, RunTag, Source
from runs.models.schedule import (
    CatchUp,
    Overlap,
    PendingDelete,
    Schedule,
    ScheduleTick,
    ScheduleType,
    TickOutcome,
)
from runs.models.slot import NEVER, Lane, Lease, Ready
from runs.models.span import Span, SpanKind, SpanStatus
from runs.models.stream import Stream, StreamChunk
from runs.models.task import Task
from runs.models.template import PayloadTemplate
from runs.models.view import SavedView, ViewDefault
from runs.models.waitpoint import Waiter, Waitpoint
from runs.models.worker import Order, SessionState, WorkerSession

__all__ = [
    "GRANTS",
    "NEVER",
    "OF_TASKS",
    "AlertChannel",
    "AlertDelivery",
    "AlertHit",
    "AlertMark",
    "AlertRule",
    "ApiKey",
    "Attempt",
    "AuditLog",
    "Batch",
    "Bucket",
    "BulkAction",
    "BulkKind",
    "BulkRun",
    "BulkStatus",
    "CatchUp",
    "ChannelKind",
    "CodeVersion",
    "Debounced",
    "DeliveryStatus",
    "Depth",
    "EnvRevision",
    "EnvVar",
    "ErrorCount",
    "ErrorEvent",
    "ErrorGroup",
    "Event",
    "EventKind",
    "Facet",
    "Failure",
    "FinalHooks",
    "GroupChange",
    "GroupStatus",
    "Idempotency",
    "Journal",
    "Lane",
    "Lease",
    "LogLine",
    "Order",
    "Overlap",
    "PayloadTemplate",
    "Payloads",
    "PendingCancel",
    "PendingDelete",
    "Pin",
    "Queue",
    "QueueKind",
    "Ready",
    "RequestWindow",
    "RetentionRule",
    "Role",
    "Rollup",
    "RollupMark",
    "RuleKind",
    "Run",
    "RunNote",
    "RunTag",
    "SavedView",
    "Schedule",
    "ScheduleTick",
    "ScheduleType",
    "SessionState",
    "Source",
    "Span",
    "SpanKind",
    "SpanStatus",
    "Step",
    "Stream",
    "StreamChunk",
    "Task",
    "TickOutcome",
    "Total",
    "ViewDefault",
    "Waiter",
    "Waitpoint",
    "WorkerSession",
]

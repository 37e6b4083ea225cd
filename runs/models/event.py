from django.db import models

from runs.models.fields import IdField
from runs.states import RunStatus


class EventKind(models.TextChoices):
    """What happened, one word per verb."""

    TRIGGERED = "triggered", "Triggered"
    QUEUED = "queued", "Queued"
    PARKED = "parked", "Parked until a version has the task"
    MOVED = "moved", "Goes on with another version"
    DEQUEUED = "dequeued", "Dequeued"
    STARTED = "started", "Started"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    RETRIED = "retried", "Retry scheduled"
    CRASHED = "crashed", "Crashed"
    TIMED_OUT = "timed_out", "Timed out"
    EXPIRED = "expired", "Expired"
    WAITING = "waiting", "Waiting"
    RESUMED = "resumed", "Resumed"
    CANCEL_REQUESTED = "cancel_requested", "Cancel requested"
    CANCELED = "canceled", "Canceled"
    RELEASED = "released", "Handed back"
    SYSTEM_FAILED = "system_failed", "System failure"
    REPLAYED = "replayed", "Replayed"
    SKIPPED = "skipped", "Trigger skipped"
    EDITED = "edited", "Edited"
    REPAIRED = "repaired", "Repaired"
    HOOKS_RAN = "hooks_ran", "Final hooks ran"
    HOOKS_FAILED = "hooks_failed", "Final hooks not run"


class Event(models.Model):
    """One transition of one run, written in the transition's own transaction. Append-only.

    `data` is JSON with what the kind needs (delay, error name, linked run), or empty.
    """

    id = models.BigAutoField(primary_key=True)
    run_id = IdField(max_length=30)
    kind = models.CharField(max_length=20, choices=EventKind.choices)
    status = models.CharField(max_length=16, choices=RunStatus.choices)
    attempt = models.IntegerField(default=0)
    #: "user:<name>", "key:<name>", "session:<id>" or "system".
    actor = models.CharField(max_length=200, blank=True, default="")
    reason = models.TextField(blank=True, default="")
    data = models.TextField(blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run_id", "id"], name="event_by_run")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.kind}"


class LogLine(models.Model):
    """One line a body logged or printed. Append-only, written in batches.

    PostgreSQL keeps a partition for each month of `at`, and `at` is part of its primary key.

    `level` is Python's number (10 debug … 50 critical); `logger` is the logger's name, or
    "stdout" / "stderr". `message` is bounded and free of NUL characters.
    """

    id = models.BigAutoField(primary_key=True)
    run_id = IdField(max_length=30)
    attempt = models.IntegerField()
    level = models.SmallIntegerField()
    logger = models.CharField(max_length=128)
    message = models.TextField()
    #: The innermost span it was written in; empty: none but the attempt's.
    span_id = models.CharField(max_length=16, blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run_id", "id"], name="log_by_run")]

    def __str__(self) -> str:
        return self.message[:80]

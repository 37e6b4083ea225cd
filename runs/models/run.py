import json
from datetime import timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField
from runs.models.slot import Lane
from runs.states import FINAL, LEASED, OPEN, PENDING, RunStatus


class Source(models.TextChoices):
    """Who made a run."""

    SDK = "sdk", "Code"
    API = "api", "API"
    DASHBOARD = "dashboard", "Dashboard"
    TEST = "test", "Test page"
    CLI = "cli", "Command line"
    REPLAY = "replay", "Replay"
    SCHEDULE = "schedule", "Schedule"
    WEBHOOK = "webhook", "Webhook"


class RunQuerySet(models.QuerySet["Run"]):
    #: What a list row needs; payload, output, error and metadata stay in the table.
    HEAVY = ("payload", "output", "metadata", "seed_metadata")

    def light(self) -> Self:
        """Without the large columns."""
        return self.defer(*self.HEAVY)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def tagged(self, tags: list[str]) -> Self:
        """Carrying any of `tags` (features.md TA-7)."""
        return self.filter(id__in=RunTag.objects.filter(tag__in=tags).values("run_id"))


class Run(models.Model):
    """One launch of a task: what was asked, where it stands, how it ended.

    Payload, output, error and metadata are ASCII-escaped JSON in text columns, so every valid
    document comes back byte for byte on both databases. `status` is written by `runs.lifecycle`
    alone; a trigger in the database refuses to leave a final status.
    """

    id = IdField(primary_key=True, max_length=30)
    task_id = models.CharField(max_length=256)
    status = models.CharField(max_length=16, choices=RunStatus.choices)
    #: One sentence on why it stands where it stands (pending version, cancel, expiry), or empty.
    reason = models.TextField(blank=True, default="")

    payload = models.TextField(null=True)  # noqa: DJ001  None means none was given
    output = models.TextField(null=True)  # noqa: DJ001
    #: JSON `{"name", "message", "stack_trace", "code"?, "frames"?, "causes"?}` of the last failure.
    error = models.TextField(null=True)  # noqa: DJ001
    metadata = models.TextField(null=True)  # noqa: DJ001
    seed_metadata = models.TextField(null=True)  # noqa: DJ001
    #: JSON list, sorted; `RunTag` holds the same for filters.
    tags = models.TextField(default="[]")

    queue = models.CharField(max_length=128)
    concurrency_key = models.TextField(null=True)  # noqa: DJ001
    #: Seconds of head start over runs triggered at the same time.
    priority = models.FloatField(default=0)
    #: Microseconds since 1970 when it joined the queue, less the priority; lower goes first.
    sort_key = models.BigIntegerField()

    attempt_number = models.IntegerField(default=0)
    max_attempts = models.IntegerField(default=1)
    #: Attempts that do not count as a try: handed back at a stop, or lost with their cluster.
    uncounted_attempts = models.IntegerField(default=0)
    #: Times its process or its cluster was lost while it executed (poison pill counter).
    crash_count = models.IntegerField(default=0)
    #: Seconds; None is no limit.
    max_duration = models.FloatField(null=True)
    ttl = models.FloatField(null=True)
    machine = models.CharField(max_length=32)
    #: Version of the task code it is locked to: asked for, its waiting parent's, or of its first start.
    version = models.CharField(max_length=64, blank=True, default="")
    #: The trigger asked for that version: no other will do.
    version_asked = models.BooleanField(default=False)
    is_test = models.BooleanField(default=False)
    source = models.CharField(max_length=12, choices=Source.choices)
    #: Who triggered it: "user:<name>", "key:<name>" or empty for code.
    actor = models.CharField(max_length=200, blank=True, default="")

    idempotency_key = models.TextField(null=True)  # noqa: DJ001
    idempotency_scope = models.CharField(max_length=8, blank=True, default="")
    idempotency_expires_at = models.DateTimeField(null=True)
    #: Where its task's overlap policy counts open runs (`runs.lifecycle.overlapping`); None: nowhere.
    overlap_lane = models.CharField(max_length=64, null=True)  # noqa: DJ001
    #: JSON `{"key", "delay", "mode", "max_delay"?}` of a debounced trigger.
    debounce = models.TextField(null=True)  # noqa: DJ001

    #: Who called, in a trace that spans several services (W3C Trace Context); None: nobody said.
    traceparent = models.CharField(max_length=55, null=True)  # noqa: DJ001
    tracestate = models.TextField(null=True)  # noqa: DJ001

    parent_id = IdField(max_length=30, null=True)
    #: Lease token under which its parent triggered it; None where the parent need not find it again.
    parent_token = models.CharField(max_length=36, null=True)  # noqa: DJ001
    root_id = IdField(max_length=30, null=True)
    depth = models.IntegerField(default=0)
    replayed_from_id = IdField(max_length=30, null=True)
    batch_id = IdField(max_length=40, null=True)
    schedule_id = IdField(max_length=32, null=True)

    created_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True)
    delay_until = models.DateTimeField(null=True)
    #: When a retry is due; None once it is claimable.
    retry_at = models.DateTimeField(null=True)
    #: First claim, first body, end.
    started_at = models.DateTimeField(null=True)
    executed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    #: When the TTL runs out; set while it was never started.
    expires_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    #: Milliseconds of executing time over all attempts.
    usage_ms = models.BigIntegerField(default=0)
    #: Somebody waits for its end: whoever writes that end wakes them.
    awaited = models.BooleanField(default=False)
    #: The attempt that left for a wait last, and its executing milliseconds until then. On its way
    #: back `attempt_number` stands one lower, so that the claim counts up to the same attempt.
    waited_attempt = models.IntegerField(default=0)
    attempt_ms = models.BigIntegerField(default=0)
    #: Which workers execute it.
    lane = models.SmallIntegerField(choices=Lane.choices, default=Lane.ALONE)
    #: Lease token of the write that finished it (answers "did my commit win?").
    done_token = models.CharField(max_length=36, blank=True, default="")

    objects: ClassVar[RunQuerySet] = RunQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        permissions = [
            ("view_payload", "Can see payloads, outputs, metadata and logs"),
            ("reveal_payload", "Can reveal what is redacted"),
        ]
        constraints = [
            # Short on purpose: PostgreSQL reads a constraint's text anew for every statement.
            models.CheckConstraint(
                name="run_final_has_end",
                condition=Q(finished_at__isnull=True, status__in=sorted(OPEN))
                | Q(finished_at__isnull=False, status__in=sorted(FINAL)),
            ),
            models.CheckConstraint(
                name="run_attempts_start_at_one", condition=Q(max_attempts__gte=1)
            ),
        ]
        indexes = [
            # list by status, housekeeping by status
            models.Index(fields=["status", "id"], name="run_by_status"),
            # list by task
            models.Index(fields=["task_id", "id"], name="run_by_task"),
            # list by queue
            models.Index(fields=["queue", "id"], name="run_by_queue"),
            # search by the text of an error; few runs have one
            models.Index(fields=["id"], name="run_with_error", condition=Q(error__isnull=False)),
            # rollups: what ended in a minute
            models.Index(
                fields=["finished_at"], name="run_by_end", condition=Q(finished_at__isnull=False)
            ),
            # housekeeping: queued, never started, with a time to live
            models.Index(
                fields=["expires_at"],
                name="run_by_expiry",
                condition=Q(
                    expires_at__isnull=False, started_at__isnull=True, finished_at__isnull=True
                ),
            ),
            # children, replays
            models.Index(
                fields=["parent_id"], name="run_by_parent", condition=Q(parent_id__isnull=False)
            ),
            models.Index(
                fields=["replayed_from_id"],
                name="run_by_origin",
                condition=Q(replayed_from_id__isnull=False),
            ),
            # runs of a batch
            models.Index(
                fields=["batch_id", "id"],
                name="run_by_batch",
                condition=Q(batch_id__isnull=False),
            ),
            # list by schedule; is a run of this schedule open?
            models.Index(
                fields=["schedule_id", "id"],
                name="run_by_schedule",
                condition=Q(schedule_id__isnull=False),
            ),
            models.Index(
                fields=["schedule_id"],
                name="run_open_by_schedule",
                condition=Q(schedule_id__isnull=False, finished_at__isnull=True),
            ),
            # overlap: what of this task and key is open?
            models.Index(
                fields=["overlap_lane", "id"],
                name="run_open_in_lane",
                condition=Q(overlap_lane__isnull=False, finished_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def holds_slot(self) -> bool:
        return self.status in LEASED

    @property
    def is_pending(self) -> bool:
        return self.status in PENDING

    @property
    def is_canceling(self) -> bool:
        """Asked to stop, body still running."""
        return self.cancel_requested_at is not None and self.holds_slot

    @property
    def is_resuming(self) -> bool:
        """Its wait is over; it goes on with the same attempt once it gets a slot."""
        back = self.status in (RunStatus.QUEUED, RunStatus.DEQUEUED)
        return back and self.waited_attempt == self.attempt_number + 1

    @property
    def attempts_begun(self) -> int:
        """The number of the attempt it is in or was in last."""
        return self.waited_attempt if self.is_resuming else self.attempt_number

    @property
    def is_retrying(self) -> bool:
        """Between two attempts."""
        queued = self.status == RunStatus.QUEUED
        return queued and self.attempt_number > 0 and not self.is_resuming

    @property
    def tag_list(self) -> list[str]:
        tags: list[str] = json.loads(self.tags)
        return tags

    @property
    def duration(self) -> timedelta | None:
        """Start to end, or None when it never started or has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


class RunTag(models.Model):
    """One tag of one run, for filters."""

    pk = models.CompositePrimaryKey("tag", "run_id")
    tag = models.CharField(max_length=128)
    run_id = IdField(max_length=30)

    class Meta:
        indexes = [models.Index(fields=["run_id"], name="tag_by_run")]

    def __str__(self) -> str:
        return self.tag

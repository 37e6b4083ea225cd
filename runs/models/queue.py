from django.db import models
from django.db.models import Q


class QueueKind(models.TextChoices):
    #: Made for one task, named `task/<id>`.
    TASK = "task", "Task"
    CUSTOM = "custom", "Custom"


class Queue(models.Model):
    """A named queue with its limits.

    `concurrency_limit` comes from code or the admin, `override_limit` from a person and wins while
    it is set. Both bound each concurrency key; `total_limit` bounds the sum over all keys
    (DEC-41). Empty means unlimited, 0 means nothing starts.
    """

    name = models.CharField(max_length=128, unique=True)
    kind = models.CharField(max_length=8, choices=QueueKind.choices, default=QueueKind.CUSTOM)
    concurrency_limit = models.PositiveIntegerField(null=True, blank=True)
    total_limit = models.PositiveIntegerField(null=True, blank=True)
    override_limit = models.PositiveIntegerField(null=True, blank=True)
    override_reason = models.TextField(blank=True, default="")
    overridden_by = models.CharField(max_length=200, blank=True, default="")
    overridden_at = models.DateTimeField(null=True, blank=True)
    override_expires_at = models.DateTimeField(null=True, blank=True)
    paused = models.BooleanField(default=False)
    paused_reason = models.TextField(blank=True, default="")
    paused_by = models.CharField(max_length=200, blank=True, default="")
    paused_at = models.DateTimeField(null=True, blank=True)
    #: As many leases as `total_limit`: claims pass the queue over until one is released.
    full = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def limit(self) -> int | None:
        """The limit each concurrency key has now; None is unlimited."""
        return self.concurrency_limit if self.override_limit is None else self.override_limit


class Bucket(models.Model):
    """One (queue, concurrency key) in use; the row a claim locks before it counts leases.

    Made at trigger, removed by housekeeping once nothing stands in it. `served` is when a claim
    last took from it (microseconds since 1970), least recent first. `full` is set by a claim that
    found no room and cleared by whoever releases a lease, both under the row's lock, so blocked
    buckets cost a claim nothing.
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE)
    #: None without a concurrency key; the key itself is stored as it came.
    concurrency_key = models.TextField(null=True, blank=True)  # noqa: DJ001  None and "" differ
    #: SHA-256 hex of the key, empty without one.
    key_hash = models.CharField(max_length=64, default="")
    served = models.BigIntegerField(default=0)
    full = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue", "key_hash"], name="bucket_one_per_key"),
        ]
        indexes = [
            # claim: the least recently served bucket with room
            models.Index(fields=["served"], name="bucket_by_service", condition=Q(full=False)),
        ]

    def __str__(self) -> str:
        return f"{self.queue_id}:{self.concurrency_key or ''}"

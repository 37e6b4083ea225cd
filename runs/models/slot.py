"""The queue itself: which runs may be claimed, which hold a slot. Both tables stay small."""

from datetime import UTC, datetime

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField

#: No time brings the run back.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Ready(models.Model):
    """A run that may be claimed: now, or from `not_before` on. A claim deletes the row.

    A waiting run keeps its place here too, until `not_before` or, where nothing but an event ends
    the wait, until `NEVER`.
    """

    run_id = IdField(primary_key=True, max_length=30)
    bucket_id = models.BigIntegerField()
    sort_key = models.BigIntegerField()
    not_before = models.DateTimeField(null=True)
    #: It comes back from a wait, and has not been given back or lost since.
    resumed = models.BooleanField(db_default=False)

    class Meta:
        indexes = [
            # claim: the head of one bucket
            models.Index(
                fields=["bucket_id", "sort_key", "run_id"],
                name="ready_head",
                condition=Q(not_before__isnull=True),
            ),
            # promotion of delays and retries that are due
            models.Index(
                fields=["not_before"], name="ready_due", condition=Q(not_before__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return str(self.run_id)


class Lease(models.Model):
    """A run that holds a slot. Whoever deletes this row by (run, token) owns the transition.

    It is also the attempt that executes now, from `started_at` on in process `pid`: the primary key
    allows a run one of them, and the `Attempt` row is written when this one goes.
    """

    run_id = IdField(primary_key=True, max_length=30)
    bucket_id = models.BigIntegerField()
    queue_id = models.BigIntegerField()
    session_id = IdField(max_length=40)
    attempt = models.IntegerField()
    token = models.CharField(max_length=36)
    claimed_at = models.DateTimeField()
    pid = models.IntegerField(default=0)
    #: When the body was entered; None between claim and start.
    started_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # claim: how many does this bucket hold (the table has a row per busy worker, no more)
            models.Index(fields=["bucket_id"], name="lease_by_bucket"),
        ]

    def __str__(self) -> str:
        return str(self.run_id)

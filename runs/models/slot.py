"""The queue itself: which runs may be claimed, which hold a slot. Both tables stay small."""

from datetime import UTC, datetime

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField

#: No time brings the run back.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Lane(models.IntegerChoices):
    """Which workers execute a run."""

    #: A process of its own.
    ALONE = 0
    #: An event loop with others: its task is an `async def`.
    SHARED = 1
    # From 2 on, one for each preset (`runs.machines.lane_of`): a process of its own whose cluster
    # has room for more than a worker's share.


class Ready(models.Model):
    """A run that may be claimed: now, or from `not_before` on. A claim deletes the row.

    A waiting run keeps its place here too, until `not_before` or, where nothing but an event ends
    the wait, until `NEVER`. So does one that is held until runs of its task have ended.

    Only clusters of the version `pin` may claim it; empty is any. A claim that meets a run its code
    must not execute puts it back as due, and promotion pins it.
    """

    run_id = IdField(primary_key=True, max_length=30)
    bucket_id = models.BigIntegerField()
    sort_key = models.BigIntegerField()
    not_before = models.DateTimeField(null=True)
    #: It goes on after a wait: a queue's rate has counted it, and lets it through.
    resumed = models.BooleanField(default=False, db_default=False)
    #: As the run has it.
    lane = models.SmallIntegerField(choices=Lane.choices, default=Lane.ALONE)
    pin = models.CharField(max_length=64, blank=True, default="", db_default="")
    #: It left for a wait and nobody has taken it since: it was not lost.
    untaken = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            # claim: the head of one bucket, among those of one lane and pin
            models.Index(
                fields=["bucket_id", "lane", "pin", "sort_key", "run_id"],
                name="ready_head",
                condition=Q(not_before__isnull=True),
            ),
            # claim for event loops: whether there is anything at all; in the order of the head, so that
            # a plan that prefers it has nothing to sort
            models.Index(
                fields=["bucket_id", "pin", "sort_key", "run_id"],
                name="ready_shared",
                condition=Q(not_before__isnull=True, lane=1),
            ),
            # claim: is there a heavy run at all, and the oldest of a preset
            models.Index(
                fields=["lane", "sort_key", "run_id"],
                name="ready_heavy",
                condition=Q(not_before__isnull=True, lane__gte=2),
            ),
            # claim: is anything pinned to this version, and its head; housekeeping: to one that is gone?
            models.Index(
                fields=["pin", "bucket_id", "lane", "sort_key", "run_id"],
                name="ready_pinned",
                condition=Q(pin__gt=""),
            ),
            # promotion of delays and retries that are due
            models.Index(
                fields=["not_before"], name="ready_due", condition=Q(not_before__isnull=False)
            ),
            # what a queue's rate lets through
            models.Index(
                fields=["bucket_id", "sort_key", "run_id"],
                name="ready_resumed",
                condition=Q(not_before__isnull=True, resumed=True),
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

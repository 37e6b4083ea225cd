from typing import ClassVar

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField
from runs.states import AttemptStatus


class Attempt(models.Model):
    """One execution of a run's body.

    A wait splits an attempt into segments: `segments` is a JSON list of the closed ones,
    `[{"started_at", "ended_at", "worker"}]` in ISO 8601 UTC; the open one began at
    `segment_started_at`.
    """

    pk = models.CompositePrimaryKey("run_id", "number")
    #: No database foreign key: the two writes a run makes here are on the hot path.
    run_id = IdField(max_length=30)
    number = models.IntegerField()
    status = models.CharField(max_length=12, choices=AttemptStatus.choices)
    session_id = IdField(max_length=40)
    pid = models.IntegerField(default=0)
    started_at = models.DateTimeField()
    segment_started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    segments = models.TextField(default="[]")
    #: Same shape as `Run.error`.
    error = models.TextField(null=True)  # noqa: DJ001
    #: When the next attempt is due, if this one led to a retry.
    retry_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["Attempt"]] = models.Manager()

    class Meta:
        ordering = ["run_id", "number"]
        constraints = [
            models.CheckConstraint(
                name="attempt_ended_has_end",
                condition=Q(status=AttemptStatus.EXECUTING, finished_at__isnull=True)
                | (~Q(status=AttemptStatus.EXECUTING) & Q(finished_at__isnull=False)),
            ),
            models.UniqueConstraint(
                fields=["run_id"],
                name="attempt_one_live_per_run",
                condition=Q(status=AttemptStatus.EXECUTING),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} #{self.number}"

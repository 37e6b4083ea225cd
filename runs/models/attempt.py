from typing import ClassVar

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField
from runs.states import AttemptStatus


class Attempt(models.Model):
    """One execution of a run's body, written when it ends; the one that executes is a `Lease`.

    A wait splits an attempt into segments: `segments` is a JSON list of them,
    `[{"started_at", "ended_at", "worker"}]` in ISO 8601 UTC, empty for an attempt in one piece.
    """

    pk = models.CompositePrimaryKey("run_id", "number")
    #: No database foreign key: the write is on the hot path.
    run_id = IdField(max_length=30)
    number = models.IntegerField()
    status = models.CharField(max_length=12, choices=AttemptStatus.choices)
    session_id = IdField(max_length=40)
    pid = models.IntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    segments = models.TextField(db_default="[]")
    #: Same shape as `Run.error`.
    error = models.TextField(null=True)  # noqa: DJ001
    #: When the next attempt is due, if this one led to a retry.
    retry_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["Attempt"]] = models.Manager()

    class Meta:
        ordering = ["run_id", "number"]
        constraints = [
            models.CheckConstraint(name="attempt_has_end", condition=Q(finished_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} #{self.number}"

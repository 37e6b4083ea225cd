import json
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField


class BulkKind(models.TextChoices):
    """What is done to each run."""

    CANCEL = "CANCEL", "Cancel"
    REPLAY = "REPLAY", "Replay"
    TAG = "TAG", "Add tags"
    PRIORITY = "PRIORITY", "Set priority"
    KEY = "KEY", "Reset keys"


class BulkStatus(models.TextChoices):
    """Where a bulk action stands."""

    #: Some of its runs are still to come.
    PENDING = "PENDING", "Pending"
    #: Stopped for now, by a person or because its first replays did not succeed.
    PAUSED = "PAUSED", "Paused"
    COMPLETED = "COMPLETED", "Completed"
    #: Stopped by a person; what it did stays done.
    ABORTED = "ABORTED", "Aborted"


class BulkActionQuerySet(models.QuerySet["BulkAction"]):
    def newest_first(self) -> Self:
        return self.order_by("-id")


class BulkAction(models.Model):
    """One cancel or replay of many runs, done in the background in the order of their ids, or from the
    newest on.

    `after` is the last run it is done with. Runs made later than itself are not its.
    """

    id = IdField(primary_key=True, max_length=40)
    kind = models.CharField(max_length=8, choices=BulkKind.choices)
    status = models.CharField(max_length=12, choices=BulkStatus.choices, default=BulkStatus.PENDING)
    name = models.CharField(max_length=255, blank=True, default="")
    #: JSON: `{"runs": [run id, …]}`, sorted, or `{"filter": facts}` of a RunFilter.
    selection = models.TextField()
    #: No run from this id on is its.
    until = IdField(max_length=30)
    after = IdField(max_length=30, blank=True, default="")
    #: Runs of the selection when it was made, and what became of those it is done with.
    total = models.IntegerField()
    success = models.IntegerField(default=0)
    failure = models.IntegerField(default=0)
    #: Why the last one failed that did.
    problem = models.TextField(blank=True, default="")
    #: JSON of why runs failed; see `runs.lifecycle.bulkreasons`.
    reasons = models.TextField(blank=True, default="")
    #: JSON of what is done differently from the plain verb; see `runs.lifecycle.bulkoptions`.
    options = models.TextField(blank=True, default="")
    #: What the person said it is for.
    reason = models.CharField(max_length=1000, blank=True, default="")
    #: So many replays have to succeed before it goes on; 0 where none has to any more.
    canary = models.PositiveIntegerField(default=0)
    #: Nothing is done before.
    not_before = models.DateTimeField(null=True)
    #: A process works on it, and has it until then.
    claimed_until = models.DateTimeField(null=True)
    #: SHA-256 hex of what its sender marks the request with, also when sending it again.
    request_hash = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001
    #: Who hears of its end.
    notify = models.ForeignKey("runs.AlertChannel", models.SET_NULL, null=True, related_name="+")
    actor = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)

    objects: ClassVar[BulkActionQuerySet] = BulkActionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            # whoever goes on with the oldest
            models.Index(
                fields=["id"], name="bulk_pending", condition=Q(completed_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def chosen(self) -> dict[str, Any]:
        """Which runs: `{"runs": [...]}` or `{"filter": {...}}`."""
        chosen: dict[str, Any] = json.loads(self.selection)
        return chosen


class BulkRun(models.Model):
    """A run that a bulk action canceled, or made as a replay."""

    pk = models.CompositePrimaryKey("action_id", "run_id")
    action_id = IdField(max_length=40)
    run_id = IdField(max_length=30)

    class Meta:
        indexes = [models.Index(fields=["run_id"], name="bulk_by_run")]

    def __str__(self) -> str:
        return f"{self.action_id} {self.run_id}"

import json
from typing import ClassVar, NamedTuple, Self

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField
from runs.models.run import Source


class Problem(NamedTuple):
    """Why an item of a batch has no run; `place` is its index, `code` for programs."""

    place: int
    task_id: str
    message: str
    code: str


class BatchQuerySet(models.QuerySet["Batch"]):
    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")


class Batch(models.Model):
    """Runs that were triggered together. Where it stands is where they stand (`runs.reads.batches`).

    Runs that an idempotency key found belong to whoever made them: they are in `found` only.
    """

    id = IdField(primary_key=True, max_length=40)
    #: Items asked for; a parent that is tried again adds the runs it makes then.
    run_count = models.IntegerField()
    #: JSON list of the ids of its tasks, sorted.
    tasks = models.TextField(default="[]")
    #: JSON list of `[index, run id]`.
    found = models.TextField(default="[]")
    #: JSON list of `[index, run id]` of its own runs, where they came in a stream: in any order.
    placed = models.TextField(default="[]")
    #: JSON list of `[index, task id, what is wrong, code]`: items no run could be made of.
    problems = models.TextField(default="[]")
    #: Until when a stream may bring the rest of its items; NULL once all have come.
    seals_by = models.DateTimeField(null=True)
    #: Its trigger waits until all have ended.
    awaited = models.BooleanField(default=False)
    idempotency_key = models.TextField(null=True)  # noqa: DJ001
    #: SHA-256 hex of the key while it holds, NULL otherwise.
    key_hash = models.CharField(max_length=64, null=True)  # noqa: DJ001
    idempotency_expires_at = models.DateTimeField(null=True)
    #: The run that triggered it, if one did.
    run_id = IdField(max_length=30, null=True)
    source = models.CharField(max_length=12, choices=Source.choices)
    actor = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()

    objects: ClassVar[BatchQuerySet] = BatchQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key_hash"], name="batch_one_per_key")]
        indexes = [
            # the list; retention
            models.Index(fields=["created_at", "id"], name="batch_by_time"),
            # batches of a run
            models.Index(fields=["run_id"], name="batch_by_run", condition=Q(run_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def task_list(self) -> list[str]:
        tasks: list[str] = json.loads(self.tasks)
        return tasks

    @property
    def found_runs(self) -> list[tuple[int, str]]:
        """Index and run of the items whose key found an earlier run."""
        return [(index, run_id) for index, run_id in json.loads(self.found)]

    @property
    def placed_runs(self) -> list[tuple[int, str]]:
        """Index and run of the items of a stream that a run was made of."""
        return [(index, run_id) for index, run_id in json.loads(self.placed)]

    @property
    def problem_list(self) -> list[Problem]:
        """The items no run could be made of, in their order."""
        return sorted(Problem(*problem) for problem in json.loads(self.problems))

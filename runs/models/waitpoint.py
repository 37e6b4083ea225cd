import json
from collections.abc import Iterable
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField
from runs.states import TokenStatus


class Waiter(models.Model):
    """A WAITING run and one run or token whose end it waits for.

    Written with the run's suspension under the lock of the target's row, and removed by whoever
    ends the target under the same lock: so the end is never missed, whatever comes first.
    """

    pk = models.CompositePrimaryKey("target", "run_id")
    target = IdField(max_length=40)
    run_id = IdField(max_length=30)
    #: The first of the run's targets to end resumes it, not the last.
    one_suffices = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["run_id"], name="waiter_by_run")]

    def __str__(self) -> str:
        return f"{self.run_id} for {self.target}"


class WaitpointQuerySet(models.QuerySet["Waitpoint"]):
    def newest_first(self) -> Self:
        return self.order_by("-id")

    def most_pressing_first(self) -> Self:
        """Those that time out next; what never does comes last."""
        return self.order_by(models.F("timeout_at").asc(nulls_last=True), "id")

    def matching(self, search: str) -> Self:
        """With this id, idempotency key or tag; all for an empty search."""
        if not search:
            return self.all()
        tag = Q(tags__contains=json.dumps(search))
        return self.filter(Q(pk=search) | Q(idempotency_key=search) | tag)

    def tagged(self, tags: Iterable[str]) -> Self:
        """Carrying any of `tags`; all where there are none."""
        wanted = Q()
        for tag in tags:
            wanted |= Q(tags__contains=json.dumps(tag))
        return self.filter(wanted)


class Waitpoint(models.Model):
    """A wait token: something outside says when, and with which data, waiting runs go on.

    It is completed once; what comes later changes nothing (features.md WK-4).
    """

    id = IdField(primary_key=True, max_length=40)
    status = models.CharField(
        max_length=10, choices=TokenStatus.choices, default=TokenStatus.WAITING
    )
    #: JSON text of what completed it; of one that failed `{"message"}`.
    output = models.TextField(null=True)  # noqa: DJ001
    #: JSON Schema of what may complete it, or empty.
    schema = models.TextField(blank=True, default="")
    #: JSON list, sorted.
    tags = models.TextField(default="[]")
    idempotency_key = models.TextField(null=True)  # noqa: DJ001
    #: SHA-256 hex of the key while it holds, NULL otherwise.
    key_hash = models.CharField(max_length=64, null=True)  # noqa: DJ001
    idempotency_expires_at = models.DateTimeField(null=True)
    #: The run that made it, if one did.
    run_id = IdField(max_length=30, null=True)
    created_at = models.DateTimeField()
    timeout_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    #: "user:<name>", "key:<name>", "url" or "run:<id>".
    completed_by = models.CharField(max_length=200, blank=True, default="")

    objects: ClassVar[WaitpointQuerySet] = WaitpointQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key_hash"], name="waitpoint_one_per_key"),
        ]
        indexes = [
            # the list by status
            models.Index(fields=["status", "id"], name="waitpoint_by_status"),
            # what goes with its run
            models.Index(
                fields=["run_id"], name="waitpoint_by_run", condition=Q(run_id__isnull=False)
            ),
            # time-outs that are due
            models.Index(
                fields=["timeout_at"],
                name="waitpoint_by_timeout",
                condition=Q(status="WAITING", timeout_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_waiting(self) -> bool:
        return self.status == TokenStatus.WAITING

    @property
    def tag_list(self) -> list[str]:
        tags: list[str] = json.loads(self.tags)
        return tags

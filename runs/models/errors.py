"""Failures, and the groups of those that are cases of one error."""

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField


class Failure(models.Model):
    """One attempt that failed, or one run that expired (attempt 0), by the fingerprint of its error.

    Written in the transaction of the failure and never contended: groups are brought up to date from
    what is not `counted` yet, by housekeeping (`runs.lifecycle.counting`).
    """

    pk = models.CompositePrimaryKey("run_id", "attempt")
    run_id = IdField(max_length=30)
    attempt = models.IntegerField()
    fingerprint = models.CharField(max_length=16)
    version = models.CharField(max_length=64, blank=True, default="")
    #: No other attempt followed: the run ended by it.
    ended = models.BooleanField()
    at = models.DateTimeField()
    counted = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            # runs of a group
            models.Index(fields=["fingerprint", "run_id"], name="failure_by_group"),
            # what housekeeping still has to count
            models.Index(fields=["at"], name="failure_uncounted", condition=Q(counted=False)),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} #{self.attempt} {self.fingerprint}"


class GroupStatus(models.TextChoices):
    UNRESOLVED = "unresolved", "Unresolved"
    RESOLVED = "resolved", "Resolved"
    IGNORED = "ignored", "Ignored"


class ErrorGroup(models.Model):
    """All failures of one task that are cases of one error, and what people decided about it."""

    fingerprint = models.CharField(max_length=16, primary_key=True)
    task_id = models.CharField(max_length=256)
    #: Class of the error, or the code of one of ours.
    name = models.CharField(max_length=200)
    #: Of its first case.
    message = models.CharField(max_length=500, blank=True, default="")
    #: Where in the author's code, as in its first case.
    place = models.CharField(max_length=300, blank=True, default="")

    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    first_run_id = IdField(max_length=30)
    last_run_id = IdField(max_length=30)
    last_attempt = models.IntegerField(default=0)
    first_version = models.CharField(max_length=64, blank=True, default="")
    last_version = models.CharField(max_length=64, blank=True, default="")
    #: Failed attempts, and runs that ended by one, since the first.
    total = models.BigIntegerField(default=0)
    ended = models.BigIntegerField(default=0)

    status = models.CharField(
        max_length=10, choices=GroupStatus.choices, default=GroupStatus.UNRESOLVED
    )
    changed_at = models.DateTimeField()
    #: "user:<name>", "key:<name>", "cli:<login>" or "system".
    changed_by = models.CharField(max_length=200, blank=True, default="")
    #: Counts what people changed: a form that was made before is stale.
    revision = models.IntegerField(default=0)
    #: Why it is ignored or resolved.
    reason = models.TextField(blank=True, default="")
    #: Failures of versions in which it had been seen before do not reopen it; empty: any does.
    resolved_in = models.CharField(max_length=64, blank=True, default="")
    #: Ignored until then, until more failures than that come within an hour, until `total` is higher.
    ignored_until = models.DateTimeField(null=True)
    ignored_rate = models.IntegerField(null=True)
    ignored_total = models.BigIntegerField(null=True)
    assignee = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["status", "last_at", "fingerprint"], name="group_by_status"),
            models.Index(fields=["last_at", "fingerprint"], name="group_by_last"),
            models.Index(fields=["task_id", "last_at", "fingerprint"], name="group_by_task"),
            # whose time of being ignored is over?
            models.Index(
                fields=["ignored_until"],
                name="group_ignored_until",
                condition=Q(ignored_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"[:200]


class ErrorCount(models.Model):
    """Failures of a group in one version within `span` seconds from `at`."""

    pk = models.CompositePrimaryKey("fingerprint", "span", "at", "version")
    fingerprint = models.CharField(max_length=16)
    span = models.IntegerField()
    at = models.DateTimeField()
    version = models.CharField(max_length=64)
    failures = models.BigIntegerField()
    ended = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["span", "at"], name="errorcount_by_age")]

    def __str__(self) -> str:
        return f"{self.fingerprint} {self.at} {self.failures}"


class GroupChange(models.TextChoices):
    """What happened to a group, one word per verb."""

    SEEN = "seen", "Seen for the first time"
    RESOLVED = "resolved", "Resolved"
    IGNORED = "ignored", "Ignored"
    REOPENED = "reopened", "Reopened"
    REGRESSED = "regressed", "Failed again"
    RETURNED = "returned", "No longer ignored"
    ASSIGNED = "assigned", "Assigned"
    NOTED = "noted", "Note"


class ErrorEvent(models.Model):
    """One change of a group, or a note on it. Append-only."""

    id = models.BigAutoField(primary_key=True)
    fingerprint = models.CharField(max_length=16)
    kind = models.CharField(max_length=10, choices=GroupChange.choices)
    actor = models.CharField(max_length=200, blank=True, default="")
    text = models.TextField(blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["fingerprint", "id"], name="errorevent_by_group")]

    def __str__(self) -> str:
        return f"{self.fingerprint} {self.kind}"

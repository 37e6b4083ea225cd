from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from runs.webhooks import LONGEST_PATH

#: How the ids of tasks of Trackside itself begin.
OWN = "trackside."


class TaskQuerySet(models.QuerySet["Task"]):
    def authored(self) -> Self:
        """People's tasks, without those of Trackside itself."""
        return self.exclude(id__startswith=OWN)


class Task(models.Model):
    """A task as the clusters registered it; the web process knows tasks only from here.

    `config` is JSON: `{"retry": {"max_attempts", "factor", "min_timeout", "max_timeout",
    "randomize", ...}}` with durations in seconds. `schema` is JSON Schema or empty. A `broken` task
    is one whose file failed to import: `error` holds the traceback and its runs wait as
    PENDING_VERSION.
    """

    id = models.CharField(max_length=256, primary_key=True)
    description = models.TextField(blank=True, default="")
    file_path = models.TextField(blank=True, default="")
    schema = models.TextField(blank=True, default="")
    config = models.TextField(default="{}")
    #: Name of the queue its runs go to when the trigger names none.
    queue = models.CharField(max_length=128)
    max_attempts = models.PositiveIntegerField(default=3)
    #: Seconds; empty means no limit.
    max_duration = models.FloatField(null=True, blank=True)
    #: Seconds a run may stand queued before its first start; empty means for ever.
    ttl = models.FloatField(null=True, blank=True)
    machine = models.CharField(max_length=32, default="small-1x")
    priority = models.FloatField(default=0)
    tags = models.TextField(default="[]")
    #: JSON of a `runs.webhooks.Webhook`, and its path; empty for a task that has none.
    webhook = models.TextField(blank=True, default="")
    webhook_path = models.CharField(max_length=LONGEST_PATH, blank=True, default="")
    #: Its body is an `async def`, so that its runs may share a process.
    is_async = models.BooleanField(default=False)
    #: Whether it, or all tasks, have hooks for runs that end without success, and for canceled ones.
    failure_hooks = models.BooleanField(default=False)
    cancel_hooks = models.BooleanField(default=False)
    version = models.CharField(max_length=64, blank=True, default="")
    broken = models.BooleanField(default=False)
    error = models.TextField(blank=True, default="")
    #: False once a newer registration of the same cluster no longer has it.
    active = models.BooleanField(default=True)
    #: Since when a person has its runs wait, whatever their queue; empty while they start.
    paused_at = models.DateTimeField(null=True)
    paused_by = models.CharField(max_length=200, blank=True, default="", db_default="")
    paused_reason = models.TextField(blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    registered_at = models.DateTimeField()

    objects: ClassVar[TaskQuerySet] = TaskQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["id"]
        indexes = [
            # a delivery looks for its task
            models.Index(
                fields=["webhook_path"], name="task_by_webhook", condition=~Q(webhook_path="")
            ),
            models.Index(fields=["id"], name="task_paused", condition=Q(paused_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_made_up(self) -> bool:
        """`manage.py demo` made it: no cluster has it, so none finds it gone."""
        return '"made_by": "demo"' in self.config

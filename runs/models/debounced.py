from django.db import models

from runs.models.fields import IdField


class Debounced(models.Model):
    """The run that triggers of a task with this key put off, while it has not started."""

    task_id = models.CharField(max_length=256)
    #: SHA-256 hex: any length of key fits an index.
    key_hash = models.CharField(max_length=64)
    #: Empty while its first trigger is being written.
    run_id = IdField(max_length=30, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task_id", "key_hash"], name="debounced_one_run"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} {self.key_hash[:12]}"

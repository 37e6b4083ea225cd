from django.db import models

from runs.models.fields import IdField


class Idempotency(models.Model):
    """At most one live run per (task, key) until `expires_at` (features.md section 8)."""

    task_id = models.CharField(max_length=256)
    #: SHA-256 hex: any length of key fits an index.
    key_hash = models.CharField(max_length=64)
    run_id = IdField(max_length=30)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task_id", "key_hash"], name="idempotency_one_run"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="idempotency_by_expiry"),
            # a failed run frees its key
            models.Index(fields=["run_id"], name="idempotency_by_run"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} {self.key_hash[:12]}"

from django.db import models


class CodeVersion(models.Model):
    """A version of the task code that a cluster has run, and the tasks it had."""

    name = models.CharField(max_length=64, primary_key=True)
    #: When a cluster registered it first, and last.
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    #: JSON `{task id: digest of its payload schema}`; the digest is empty without a schema.
    tasks = models.TextField(default="{}")

    class Meta:
        indexes = [models.Index(fields=["-first_at"], name="version_by_age")]

    def __str__(self) -> str:
        return self.name

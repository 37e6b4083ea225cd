from django.db import models


class EnvVar(models.Model):
    """An environment variable of every run. Its value is stored encrypted (DEC-52)."""

    name = models.CharField(max_length=256, unique=True)
    #: What `runs.encryption` made of the value.
    value = models.TextField()
    #: Bytes of the value, for the limit of all together.
    size = models.PositiveIntegerField()
    #: Its value is never shown again, and it stays so.
    is_secret = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    #: "user:<name>", "key:<name>" or "cli:<login>".
    updated_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class EnvRevision(models.Model):
    """One row: counts the changes of all variables, by which a cluster sees that there was one.

    Who changes a variable holds its lock.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)

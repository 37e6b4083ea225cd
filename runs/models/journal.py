from django.db import models

from runs.models.fields import IdField
from runs.states import EntryKind, EntryStatus


class Journal(models.Model):
    """One thing a body did, so that its run does it once (DEC-20, DEC-21). Append-only.

    The key is what was called, under which name, for the how manieth time and in which attempt. A
    success of any attempt counts in later ones, a failure in its own only.
    """

    pk = models.CompositePrimaryKey("run_id", "kind", "name", "ordinal", "attempt")
    run_id = IdField(max_length=30)
    kind = models.CharField(max_length=8, choices=EntryKind.choices)
    name = models.CharField(max_length=256)
    ordinal = models.IntegerField()
    attempt = models.IntegerField()
    #: How many entries the run had before.
    position = models.IntegerField()
    status = models.CharField(max_length=8, choices=EntryStatus.choices)
    #: The beginning of the arguments' text and the SHA-256 hex of all of it; empty: not compared.
    args = models.TextField(blank=True, default="")
    args_hash = models.CharField(max_length=64, blank=True, default="")
    #: JSON text.
    result = models.TextField(null=True)  # noqa: DJ001
    #: Same shape as `Run.error`.
    error = models.TextField(null=True)  # noqa: DJ001
    #: The run or token it waits for.
    target = IdField(max_length=40, null=True)
    #: The span it was called in; empty: the attempt's.
    span = models.CharField(max_length=16, blank=True, default="")
    due_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.run_id} {self.kind} {self.name} #{self.ordinal}"

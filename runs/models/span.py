from django.db import models

from runs.models.fields import IdField


class SpanKind(models.TextChoices):
    """What a span is of."""

    USER = "user", "Span"
    HOOK = "hook", "Hook"
    HTTP = "http", "HTTP request"
    TRY = "try", "Try"
    #: Those that were left out, `count` in its attributes.
    DROPPED = "dropped", "Dropped spans"


class SpanStatus(models.TextChoices):
    """How a span ended, or that it has not."""

    OPEN = "open", "Open"
    OK = "ok", "Ended"
    ERROR = "error", "Failed"
    CANCELED = "canceled", "Canceled"


class Span(models.Model):
    """One piece of an attempt that its code named, or a hook, request or try. Append-only.

    A span that is written while it is open has a second row when it ended: the first tells when it
    started, the last everything else. Attempts, steps, waits and child runs have no rows here, their
    own tell it all. PostgreSQL keeps a partition for each month of `at`, and `at` is part of its
    primary key.
    """

    id = models.BigAutoField(primary_key=True)
    run_id = IdField(max_length=30)
    attempt = models.IntegerField()
    #: 16 hexadecimal digits; `runs.tracing` derives them.
    span_id = models.CharField(max_length=16)
    #: The attempt's span for those on top.
    parent_id = models.CharField(max_length=16)
    kind = models.CharField(max_length=8, choices=SpanKind.choices)
    name = models.CharField(max_length=256)
    status = models.CharField(max_length=8, choices=SpanStatus.choices)
    #: What it failed with, shortened; empty for none.
    error = models.TextField(blank=True, default="")
    #: JSON object of names with dots and plain values, bounded.
    attributes = models.TextField(blank=True, default="")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    #: When the row was made.
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run_id", "id"], name="span_by_run")]

    def __str__(self) -> str:
        return self.name

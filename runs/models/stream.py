import json

from django.db import models

from runs.models.fields import IdField


class Stream(models.Model):
    """Chunks a run gives out (or, as an input, is given) under one key, numbered from 0.

    Whoever appends locks this row first: numbers have no gaps, and a chunk that can be read is
    never followed by an earlier one.
    """

    pk = models.CompositePrimaryKey("run_id", "is_input", "key")
    run_id = IdField(max_length=30)
    is_input = models.BooleanField(default=False)
    key = IdField(max_length=128)
    #: Chunks so far, and their bytes.
    count = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    #: JSON list of `[writer, chunks taken of it]`, the last ones: what is sent again is known.
    writers = models.TextField(default="[]")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.key} of {self.run_id}"

    @property
    def taken(self) -> dict[str, int]:
        """Chunks taken of each writer."""
        return dict(json.loads(self.writers))


class StreamChunk(models.Model):
    """One chunk: JSON text."""

    pk = models.CompositePrimaryKey("run_id", "is_input", "key", "number")
    run_id = IdField(max_length=30)
    is_input = models.BooleanField(default=False)
    key = IdField(max_length=128)
    number = models.BigIntegerField()
    text = models.TextField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.text[:80]

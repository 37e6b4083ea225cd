"""What people do to runs that has not happened yet, and what they write about them."""

from django.db import models

from runs.models.fields import IdField


class PendingCancel(models.Model):
    """A cancel of one run that can be withdrawn until `due_at`; then housekeeping does it.

    Where `held`, the run stood in its queue and may not start meanwhile: its ready row says NEVER, and
    gets `ready_at` back when the cancel is withdrawn.
    """

    run_id = IdField(max_length=30, primary_key=True)
    due_at = models.DateTimeField()
    actor = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=1000, blank=True, default="")
    held = models.BooleanField(default=False)
    ready_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="cancel_due")]

    def __str__(self) -> str:
        return str(self.run_id)


class RunNote(models.Model):
    """What somebody wrote about a run. Append-only; it goes with the run."""

    id = models.BigAutoField(primary_key=True)
    run_id = IdField(max_length=30)
    actor = models.CharField(max_length=200, blank=True, default="")
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run_id", "id"], name="note_by_run")]

    def __str__(self) -> str:
        return self.text[:80]

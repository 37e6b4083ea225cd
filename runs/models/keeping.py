"""How long runs are kept, where people say other than the settings, and which stay."""

from django.db import models

from runs.models.fields import IdField


class RetentionRule(models.Model):
    """Days that runs which ended so are kept, instead of what the settings say; 0 is for ever."""

    status = models.CharField(max_length=16, primary_key=True)
    days = models.FloatField()
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=200, blank=True, default="")

    def __str__(self) -> str:
        return f"{self.status}: {self.days:g} days"


class Pin(models.Model):
    """A run that stays however old it is."""

    run_id = IdField(max_length=30, primary_key=True)
    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=200, blank=True, default="")
    reason = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        return str(self.run_id)

from django.db import models


class PayloadTemplate(models.Model):
    """What a person kept to test a task with, under a name."""

    task_id = models.CharField(max_length=256)
    name = models.CharField(max_length=100)
    #: JSON texts as they were sent; empty for none.
    payload = models.TextField(blank=True, default="")
    metadata = models.TextField(blank=True, default="")
    #: "user:<name>".
    actor = models.CharField(max_length=200, blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["task_id", "name"], name="runs_template_name")
        ]

    def __str__(self) -> str:
        return self.name

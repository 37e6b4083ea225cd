from django.db import models
from django.db.models import Q


class ApiKey(models.Model):
    """A bearer key. Only its SHA-256 is stored; the key itself is shown once.

    A revoked key leaves its name to a successor.
    """

    name = models.CharField(max_length=100)
    #: First characters, to recognise a key by.
    prefix = models.CharField(max_length=16)
    key_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200, blank=True, default="")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name"], name="apikey_one_live", condition=Q(revoked_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AuditLog(models.Model):
    """Who did what, from page, API, admin or shell. Append-only."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(auto_now_add=True)
    #: "user:<name>", "key:<name>" or "cli:<login>".
    actor = models.CharField(max_length=200)
    #: Verb and noun: "run.cancel", "queue.pause", "apikey.create".
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=300, blank=True, default="")
    reason = models.TextField(blank=True, default="")
    #: JSON with the old and new values, or empty.
    data = models.TextField(blank=True, default="")
    ip = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"

import json
from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q


class Role(models.TextChoices):
    """What a key is for, and what an endpoint needs. `GRANTS` says what each may."""

    TRIGGER = "trigger"  # make runs and batches, and nothing else
    VIEWER = "viewer"  # read
    OPERATOR = "operator"  # both, and replay, cancel, change runs, wait tokens
    VARIABLES = "variables"  # environment variables, and nothing else
    ADMIN = "admin"  # everything: queues, schedules, variables, keys too


#: The roles whose work a key may do.
GRANTS: dict[Role, frozenset[Role]] = {
    Role.TRIGGER: frozenset({Role.TRIGGER}),
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.TRIGGER, Role.VIEWER, Role.OPERATOR}),
    Role.VARIABLES: frozenset({Role.VARIABLES}),
    Role.ADMIN: frozenset(Role),
}
#: Those that may be restricted to some tasks.
OF_TASKS = frozenset({Role.TRIGGER, Role.VIEWER, Role.OPERATOR})


class Payloads(models.TextChoices):
    """How much a key reads of payloads, outputs, metadata, logs and error messages."""

    STORED = "stored", "As they are stored"
    REDACTED = "redacted", "Without what is redacted"
    NONE = "none", "Not at all"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self, now: datetime) -> Self:
        """Those that may be used now."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)

    def ended(self, now: datetime) -> Self:
        """The others, the newest first."""
        return self.filter(Q(expires_at__lte=now) | Q(revoked_at__isnull=False)).order_by("-pk")


class ApiKey(models.Model):
    """A bearer key, found by its SHA-256 and shown once.

    Its text is kept encrypted, because clients sign public tokens with it. A revoked key leaves its
    name to a successor.
    """

    name = models.CharField(max_length=100)
    #: First characters, to recognise a key by.
    prefix = models.CharField(max_length=16)
    key_hash = models.CharField(max_length=64, unique=True)
    #: The key, by `runs.encryption`; empty once it is revoked.
    secret = models.TextField(blank=True, default="")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.ADMIN)
    #: JSON list of the tasks it is for; empty for all.
    tasks = models.TextField(default="[]")
    #: Its public tokens never read what is redacted.
    payloads = models.CharField(max_length=8, choices=Payloads.choices, default=Payloads.STORED)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200, blank=True, default="")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[ApiKeyQuerySet] = ApiKeyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name"], name="apikey_one_live", condition=Q(revoked_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def task_list(self) -> list[str]:
        """The tasks it is restricted to; empty for all."""
        found: list[str] = json.loads(self.tasks)
        return found

    def is_live(self, now: datetime) -> bool:
        """Whether it may be used: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class RequestWindow(models.Model):
    """How many requests of one caller web processes have taken in its newest window (`allowances`)."""

    #: "key:<number>", or "public:<number>" for all public tokens of a key; "login:<hash>" for tries to log in.
    caller = models.CharField(max_length=32, primary_key=True)
    number = models.BigIntegerField()
    used = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.caller}: {self.used}"


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

"""Alerts: where they go, what makes one, and what became of each."""

import json
from typing import Any

from django.db import models
from django.db.models import Q

from runs.models.fields import IdField


class ChannelKind(models.TextChoices):
    EMAIL = "email", "E-mail"
    SLACK = "slack", "Slack-compatible webhook"
    WEBHOOK = "webhook", "Signed webhook"


class RuleKind(models.TextChoices):
    """What a rule watches."""

    STATUS = "status", "A run ended so"
    NEW_ERROR = "new_error", "An error was seen for the first time"
    REGRESSED = "regressed", "A resolved error came back"
    #: Of one group, each of them; or too many within an hour.
    FAILED_SO = "failed_so", "An error happened again"
    #: Runs that come into a saved view, or too many in it.
    IN_VIEW = "in_view", "Runs came into a saved view"
    BACKLOG = "backlog", "More runs queued than"
    OLDEST = "oldest", "The oldest run waits longer than (seconds)"
    MISSED = "missed", "A schedule's fire was missed"
    WORKER_GONE = "worker_gone", "A cluster stopped answering"


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


class AlertChannel(models.Model):
    """Where alerts go. `secret` is JSON, encrypted: the address, and what webhooks are signed with."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=8, choices=ChannelKind.choices)
    secret = models.TextField()
    #: The address so far as it is no secret: a host, or a mail address.
    shown = models.CharField(max_length=300)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class AlertRule(models.Model):
    """What makes an alert, and to which channels it goes."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=12, choices=RuleKind.choices)
    #: JSON list of statuses, of rules about those.
    statuses = models.TextField(default="[]")
    #: One task or queue; empty is any.
    task_id = models.CharField(max_length=256, blank=True, default="")
    queue = models.CharField(max_length=128, blank=True, default="")
    threshold = models.FloatField(null=True)
    #: Of rules about one error, or one saved view.
    fingerprint = models.CharField(max_length=16, blank=True, default="")
    view = models.ForeignKey("runs.SavedView", models.CASCADE, null=True, related_name="rules")
    #: JSON of what the view searches for: facts of a RunFilter, and `within`, seconds it looks back.
    selection = models.TextField(blank=True, default="")
    channels = models.ManyToManyField(AlertChannel, related_name="rules", blank=True)
    active = models.BooleanField(default=True)
    #: JSON: what is too full now, and since when; of a view, what was in it when it was looked at.
    firing = models.TextField(default="{}")
    #: When its last alert went out: the next ones within a minute go together.
    sent_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def status_list(self) -> list[str]:
        statuses: list[str] = json.loads(self.statuses)
        return statuses


class AlertHit(models.Model):
    """Something that a rule saw, once; it waits to be told together with others."""

    rule = models.ForeignKey(AlertRule, models.CASCADE)
    #: What was seen: a run, an error's event, a fire, a cluster, a queue at a moment.
    key = models.CharField(max_length=200)
    at = models.DateTimeField()
    #: One line, with what is redacted masked.
    text = models.TextField()
    #: The page about it, from the root of the installation on.
    path = models.CharField(max_length=300, blank=True, default="")
    told = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "key"], name="alerthit_once"),
        ]
        indexes = [
            models.Index(fields=["rule", "id"], name="alerthit_untold", condition=Q(told=False)),
            models.Index(fields=["at"], name="alerthit_by_age"),
        ]

    def __str__(self) -> str:
        return self.text[:80]


class AlertDelivery(models.Model):
    """One message to one channel, and what became of it."""

    channel = models.ForeignKey(AlertChannel, models.CASCADE)
    rule = models.ForeignKey(AlertRule, models.SET_NULL, null=True)
    at = models.DateTimeField()
    #: JSON: title, number of events, the first of them.
    message = models.TextField()
    status = models.CharField(
        max_length=8, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING
    )
    #: The run that delivers it.
    run_id = IdField(max_length=30, null=True)
    attempts = models.IntegerField(default=0)
    #: What the other side answered, or why it was not reached.
    answer = models.CharField(max_length=500, blank=True, default="")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["channel", "id"], name="delivery_by_channel"),
            models.Index(fields=["at"], name="delivery_by_age"),
        ]

    def __str__(self) -> str:
        return str(self.told.get("title", ""))

    @property
    def told(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.message)
        return message


class AlertMark(models.Model):
    """How far rules have looked: one row."""

    #: Runs that ended before are looked at.
    until = models.DateTimeField()
    error_event = models.BigIntegerField(default=0)
    tick = models.BigIntegerField(default=0)
    depth_at = models.DateTimeField(null=True)
    #: A cluster looks until then at most.
    taken_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"until {self.until:%Y-%m-%d %H:%M:%S}"

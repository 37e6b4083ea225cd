from collections.abc import Iterable
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from runs.errors import InvalidOption
from runs.rates import Pace, RateLimit, as_rate


def is_rate(text: str) -> None:
    """Validator of forms: text of a `RateLimit`."""
    try:
        as_rate(text)
    except InvalidOption as error:
        raise ValidationError(str(error)) from error


class QueueKind(models.TextChoices):
    #: Made for one task, named `task/<id>`.
    TASK = "task", "Task"
    CUSTOM = "custom", "Custom"


class QueueQuerySet(models.QuerySet["Queue"]):
    def bulk_create(self, objs: Iterable["Queue"], *args: Any, **kwargs: Any) -> list["Queue"]:
        made = list(objs)
        follow_pause(made)
        return super().bulk_create(made, *args, **kwargs)


def follow_pause(queues: Iterable["Queue"]) -> None:
    """While all queues are paused, new ones are too."""
    known = Queue.objects.filter(all_paused_at__isnull=False)
    found = known.order_by("-all_paused_at").filter(paused_at=F("all_paused_at")).first()
    if found is None:
        return
    for queue in queues:
        queue.paused, queue.paused_at = True, found.paused_at
        queue.all_paused_at = found.all_paused_at
        queue.paused_by, queue.paused_reason = found.paused_by, found.paused_reason


class Queue(models.Model):
    """A named queue with its limits.

    `concurrency_limit` bounds each concurrency key, `total_limit` the sum over all keys, and
    `rate_limit` (text of `RateLimit`) spaces the starts of each key (DEC-41). They come from code or
    the admin; `override_...` come from a person and win while they are set. Empty means unlimited,
    0 means nothing starts.
    """

    name = models.CharField(max_length=128, unique=True)
    kind = models.CharField(max_length=8, choices=QueueKind.choices, default=QueueKind.CUSTOM)
    concurrency_limit = models.PositiveIntegerField(null=True, blank=True)
    total_limit = models.PositiveIntegerField(null=True, blank=True)
    rate_limit = models.CharField(max_length=64, blank=True, default="", validators=[is_rate])
    override_limit = models.PositiveIntegerField(null=True, blank=True)
    override_total = models.PositiveIntegerField(null=True, blank=True)
    override_rate = models.CharField(max_length=64, blank=True, default="", validators=[is_rate])
    override_reason = models.TextField(blank=True, default="")
    overridden_by = models.CharField(max_length=200, blank=True, default="")
    overridden_at = models.DateTimeField(null=True, blank=True)
    override_expires_at = models.DateTimeField(null=True, blank=True)
    paused = models.BooleanField(default=False)
    paused_reason = models.TextField(blank=True, default="")
    paused_by = models.CharField(max_length=200, blank=True, default="")
    paused_at = models.DateTimeField(null=True, blank=True)
    #: When all queues were paused together; the same as `paused_at` where that is what paused this one.
    all_paused_at = models.DateTimeField(null=True, editable=False)
    #: As many leases as `total_limit`: claims pass the queue over until one is released.
    full = models.BooleanField(default=False, editable=False)
    #: The rate that holds now, as claims read it: see `settle_rate`.
    rate_interval = models.BigIntegerField(null=True, editable=False)
    rate_burst = models.IntegerField(default=1, db_default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[QueueQuerySet] = QueueQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._state.adding:
            follow_pause([self])
        super().save(*args, **kwargs)

    @property
    def limit(self) -> int | None:
        """The limit each concurrency key has now; None is unlimited."""
        return self.concurrency_limit if self.override_limit is None else self.override_limit

    @property
    def total(self) -> int | None:
        """The limit all keys together have now."""
        return self.total_limit if self.override_total is None else self.override_total

    @property
    def rate(self) -> RateLimit | None:
        """The rate each key has now."""
        return as_rate(self.override_rate or self.rate_limit)

    @property
    def pace(self) -> Pace | None:
        """The rate as claims go by it."""
        return Pace(self.rate_interval, self.rate_burst) if self.rate_interval else None

    @property
    def is_overridden(self) -> bool:
        """Whether a person has set another limit than the code's."""
        return self.overridden_at is not None

    def settle_rate(self) -> None:
        """Bring what claims read up to date with `rate_limit` and `override_rate`."""
        rate = self.rate
        self.rate_interval = None if rate is None else rate.interval
        self.rate_burst = 1 if rate is None else rate.burst


class Bucket(models.Model):
    """One (queue, concurrency key) in use; the row a claim locks before it counts leases.

    Made at trigger, removed by housekeeping once nothing stands in it. `served` is when a claim
    last took from it (microseconds since 1970), least recent first. `full` is set by a claim that
    found no room and cleared by whoever releases a lease, both under the row's lock, so blocked
    buckets cost a claim nothing. A bucket that may start nothing for its rate's sake is full until
    `opens_at`, when a dispatcher clears both; then neither a release nor a claim does before.
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE)
    #: None without a concurrency key; the key itself is stored as it came.
    concurrency_key = models.TextField(null=True, blank=True)  # noqa: DJ001  None and "" differ
    #: SHA-256 hex of the key, empty without one.
    key_hash = models.CharField(max_length=64, default="")
    served = models.BigIntegerField(default=0)
    full = models.BooleanField(default=False)
    #: The time of the next start at an even pace (`runs.rates`), and when it is to be looked at again:
    #: microseconds since 1970 by the database's clock.
    arrival = models.BigIntegerField(default=0, db_default=0)
    opens_at = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue", "key_hash"], name="bucket_one_per_key"),
        ]
        indexes = [
            # claim: the least recently served bucket with room
            models.Index(fields=["served"], name="bucket_by_service", condition=Q(full=False)),
            # buckets whose rate lets the next run start
            models.Index(
                fields=["opens_at"], name="bucket_opening", condition=Q(opens_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.queue_id}:{self.concurrency_key or ''}"

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from runs.cron import Cron, parse
from runs.errors import InvalidOption
from runs.models.fields import IdField
from runs.spread import spread


class ScheduleType(models.TextChoices):
    """Where a schedule comes from. The words are the reference's."""

    #: Declared with its task: the code alone changes it.
    DECLARATIVE = "DECLARATIVE", "In code"
    #: Made by a call or a person.
    IMPERATIVE = "IMPERATIVE", "Ad hoc"


class Overlap(models.TextChoices):
    """What happens to a fire while a run of an earlier one is open (DEC-43)."""

    ALLOW = "allow", "Allow: runs may overlap"
    SKIP = "skip", "Skip: the fire is left out"
    QUEUE_ONE = "queue_one", "Queue one: one fire waits for the run to end"
    CANCEL_PREVIOUS = "cancel_previous", "Cancel previous: the run is stopped, then the fire runs"


class CatchUp(models.TextChoices):
    """What happens to fires that nobody could make at their time."""

    SKIP = "skip", "Skip: they are left out"
    LATEST = "latest", "Latest: the last of them is made up for"
    ALL = "all", "All: each of them is made up for"


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def due(self, now: datetime) -> Self:
        """With a fire whose time has come, the earliest first."""
        return self.filter(next_at__lte=now).order_by("next_at", "pk")

    def holding(self) -> Self:
        """With a fire that waits for a run to end."""
        return self.filter(held_at__isnull=False).order_by("held_at", "pk")

    def declared(self) -> Self:
        return self.filter(type=ScheduleType.DECLARATIVE)


class Schedule(models.Model):
    """Fires by the clock, and makes a run of its task each time.

    `next_at` is the next fire, empty while it is switched off; whoever fires holds the row's lock.
    `overlap` is empty where the task decides. `held_at` is a fire that waits for an open run.
    """

    id = IdField(primary_key=True, max_length=32)
    type = models.CharField(
        max_length=12, choices=ScheduleType.choices, default=ScheduleType.IMPERATIVE
    )
    task_id = models.CharField(max_length=256)
    active = models.BooleanField(default=True)
    #: Since when it is off, who switched it off, and why.
    paused_at = models.DateTimeField(null=True)
    paused_by = models.CharField(max_length=200, blank=True, default="")
    paused_reason = models.TextField(blank=True, default="")
    cron = models.CharField(max_length=200)
    timezone = models.CharField(max_length=64, default="UTC")
    #: Creating with a known key updates that schedule.
    deduplication_key = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001
    #: The caller's own id, handed to each run.
    external_id = models.CharField(max_length=255, null=True)  # noqa: DJ001
    overlap = models.CharField(max_length=16, choices=Overlap.choices, blank=True, default="")
    catch_up = models.CharField(max_length=8, choices=CatchUp.choices, default=CatchUp.SKIP)
    #: Spreads its fires (`runs.spread`); empty: they come at their times.
    window = models.CharField(max_length=16, blank=True, default="")
    next_at = models.DateTimeField(null=True)
    #: The nominal time of the last fire that made a run, and that run.
    last_at = models.DateTimeField(null=True)
    last_run_id = IdField(max_length=30, null=True)
    held_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[ScheduleQuerySet] = ScheduleQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task_id"],
                name="schedule_one_declared",
                condition=Q(type=ScheduleType.DECLARATIVE),
            ),
        ]
        indexes = [
            # firing
            models.Index(
                fields=["next_at"], name="schedule_due", condition=Q(next_at__isnull=False)
            ),
            models.Index(
                fields=["held_at"], name="schedule_held", condition=Q(held_at__isnull=False)
            ),
            # a task's schedules
            models.Index(fields=["task_id"], name="schedule_by_task"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} {self.cron}"

    @property
    def is_declared(self) -> bool:
        return self.type == ScheduleType.DECLARATIVE

    @property
    def sentence(self) -> str:
        """What its expression says, in words."""
        try:
            return self.clock.sentence
        except InvalidOption as error:
            return str(error)

    @property
    def clock(self) -> Cron:
        """Its expression, ready to be asked; raises InvalidOption once its time zone is gone."""
        return spread(parse(self.cron, self.timezone), self.window, str(self.pk))


class PendingDelete(models.Model):
    """A delete of one schedule that can be taken back until `due_at`; then housekeeping does it.

    Meanwhile the schedule has no next fire; it gets `next_at` back when the delete is taken back.
    """

    schedule = models.OneToOneField(
        Schedule, on_delete=models.CASCADE, primary_key=True, related_name="pending_delete"
    )
    due_at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=1000, blank=True, default="")
    next_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.schedule_id)


class TickOutcome(models.TextChoices):
    """What became of a fire."""

    FIRED = "fired", "Fired"
    #: Waits for a run to end.
    HELD = "held", "Waits"
    #: The overlap policy left it out.
    SKIPPED = "skipped", "Skipped"
    #: Nobody could make it at its time.
    MISSED = "missed", "Missed"
    #: A person asked for it.
    BY_HAND = "by_hand", "By hand"
    #: The run could not be made.
    REFUSED = "refused", "Refused"


class ScheduleTick(models.Model):
    """One fire of a schedule and what became of it; missed ones in a row share a row.

    `at` is the nominal time, the first of `count` where several were missed, `until` the last.
    """

    id = models.BigAutoField(primary_key=True)
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE)
    at = models.DateTimeField()
    until = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
    outcome = models.CharField(max_length=8, choices=TickOutcome.choices)
    reason = models.TextField(blank=True, default="")
    run_id = IdField(max_length=30, null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "at"], name="tick_once"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.at:%Y-%m-%d %H:%M}"

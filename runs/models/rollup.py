"""What runs came to, counted ahead, so that a page asks a few rows about millions of runs."""

from datetime import UTC, datetime

from django.db import models

#: Before anything was counted.
NEVER_YET = datetime(1970, 1, 1, tzinfo=UTC)


class Step(models.TextChoices):
    """How long the time is that a rollup counts, in UTC."""

    MINUTE = "m", "Minute"
    HOUR = "h", "Hour"
    DAY = "d", "Day"


class Facet(models.TextChoices):
    """What the runs of a rollup have in common; its `name` says which."""

    ALL = "all", "All runs"
    TASK = "task", "Task"
    QUEUE = "queue", "Queue"
    VERSION = "version", "Version"


class Rollup(models.Model):
    """Runs of one task, queue or version, or all, that ended in one minute, hour or day.

    `triggered` alone counts the runs made in it. `durations` (first start to end) and `waits` (in the
    queue until the first start) are text of `runs.histograms`. The hour that is not over has what
    its minutes have so far; a day has a row once it is over. All are made anew from runs, or
    from the rows of the smaller step, and never added to.
    """

    pk = models.CompositePrimaryKey("step", "facet", "at", "name")
    step = models.CharField(max_length=1, choices=Step.choices)
    facet = models.CharField(max_length=8, choices=Facet.choices)
    name = models.CharField(max_length=256, blank=True, default="")
    at = models.DateTimeField()
    triggered = models.IntegerField(default=0)
    completed = models.IntegerField(default=0)
    #: Of those that completed: after more than one try.
    recovered = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    crashed = models.IntegerField(default=0)
    timed_out = models.IntegerField(default=0)
    system_failure = models.IntegerField(default=0)
    expired = models.IntegerField(default=0)
    canceled = models.IntegerField(default=0)
    #: Attempts that the runs which ended took together.
    attempts = models.BigIntegerField(default=0, db_default=0)
    durations = models.TextField(default="")
    waits = models.TextField(default="")

    class Meta:
        indexes = [
            # one task, queue or version over time
            models.Index(fields=["step", "facet", "name", "at"], name="rollup_by_name"),
        ]

    def __str__(self) -> str:
        return f"{self.step} {self.facet} {self.name} {self.at:%Y-%m-%d %H:%M}"


class RollupMark(models.Model):
    """How far it is counted: one row. Every run that ended before `until` is in a rollup."""

    until = models.DateTimeField(default=NEVER_YET)
    #: A cluster counts the next ones until then at most; the value is its token.
    taken_until = models.DateTimeField(default=NEVER_YET)
    #: The minute of the newest `Depth` rows.
    sampled_at = models.DateTimeField(default=NEVER_YET)
    #: Every run that ended before is in a `Total`; it only rises, also where minutes are counted anew.
    totaled_until = models.DateTimeField(default=NEVER_YET)
    #: Fires of schedules that nobody made, ever.
    missed_fires = models.BigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"until {self.until:%Y-%m-%d %H:%M}"


class Total(models.Model):
    """What the runs of one task or queue ever came to, those that are gone included: it only rises.

    Of each facet the first `METRICS_NAMES` names have a row; all later ones share that of the name "".
    """

    facet = models.CharField(max_length=8, choices=Facet.choices)
    name = models.CharField(max_length=256, blank=True, default="")
    triggered = models.BigIntegerField(default=0)
    completed = models.BigIntegerField(default=0)
    recovered = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    crashed = models.BigIntegerField(default=0)
    timed_out = models.BigIntegerField(default=0)
    system_failure = models.BigIntegerField(default=0)
    expired = models.BigIntegerField(default=0)
    canceled = models.BigIntegerField(default=0)
    attempts = models.BigIntegerField(default=0)
    durations = models.TextField(default="")
    waits = models.TextField(default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["facet", "name"], name="total_once")]

    def __str__(self) -> str:
        return f"{self.facet} {self.name}"


class Depth(models.Model):
    """How full a queue was at one minute. The queue "" stands for all of them.

    A queue in which nothing stood has no row; a minute without a row of "" was not looked at.
    """

    pk = models.CompositePrimaryKey("queue", "at")
    queue = models.CharField(max_length=128, blank=True)
    at = models.DateTimeField()
    queued = models.IntegerField(default=0)
    running = models.IntegerField(default=0)
    #: What its limits let run then; of "", the slots of all clusters. None is without end.
    room = models.IntegerField(null=True)
    #: Seconds the one had waited that stood longest.
    oldest = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.queue} {self.at:%H:%M}: {self.queued}"

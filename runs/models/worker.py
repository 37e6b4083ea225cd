from django.db import models
from django.utils import timezone

from runs.models.fields import IdField


class SessionState(models.TextChoices):
    ALIVE = "ALIVE", "Alive"
    #: Its heartbeat ran out and its leases were taken back.
    DEAD = "DEAD", "Lost"
    #: It stopped in order.
    GONE = "GONE", "Stopped"


class Order(models.TextChoices):
    """What a person may tell a cluster."""

    DRAIN = "drain", "Take nothing more"
    RESUME = "resume", "Take runs again"
    STOP = "stop", "Stop"


class WorkerSession(models.Model):
    """One life of one cluster: its heartbeat, and the owner of its leases.

    `expires_at` may be renewed late for as long as the session is ALIVE; once DEAD it never comes
    back and everything its workers still answer is refused.
    """

    id = IdField(primary_key=True, max_length=40)
    cluster = models.CharField(max_length=100)
    host = models.CharField(max_length=255)
    #: Identifies this boot of this machine and the namespace its process ids are of.
    boot_id = models.CharField(max_length=64)
    pid = models.IntegerField()
    state = models.CharField(max_length=8, choices=SessionState.choices, default=SessionState.ALIVE)
    slots = models.PositiveIntegerField()
    #: Of the code its workers start runs with; a reload in place changes it.
    version = models.CharField(max_length=64, blank=True, default="")
    #: When that version came to be run: its first cluster opened or reloaded. The latest is current.
    version_at = models.DateTimeField(default=timezone.now)
    #: JSON list of the ids of the tasks its code has; empty until a worker has imported it.
    tasks = models.TextField(blank=True, default="")
    #: Ids of the tasks that others have and it has not, each between two line feeds.
    lacking = models.TextField(blank=True, default="")
    draining = models.BooleanField(default=False)
    #: "drain" or "stop" where a person told it so; empty where it drains by itself.
    ordered = models.CharField(max_length=8, blank=True, default="", db_default="")
    ordered_by = models.CharField(max_length=200, blank=True, default="", db_default="")
    ordered_at = models.DateTimeField(null=True)
    #: vCPUs and gigabytes its runs may ask for together; None is without end.
    capacity_cpu = models.FloatField(null=True)
    capacity_memory = models.FloatField(null=True)
    #: JSON: vCPUs and gigabytes that a run of each lane counts for, as its settings have them.
    weights = models.TextField(default="{}", db_default="{}")
    #: Its capacity is less than its workers would use with ordinary runs.
    tight = models.BooleanField(default=False, db_default=False)
    #: What is claimed has to be weighed though no heavy run is due: it is tight, or executes one.
    weighing = models.BooleanField(default=False, db_default=False)
    #: Since when a heavy run that fits into it is passed over for want of room.
    held_since = models.DateTimeField(null=True)
    #: JSON list of `{"slot", "pid", "state", "run_id", "memory"}` as of the last heartbeat.
    workers = models.TextField(default="[]")
    #: Seconds its clock was ahead of the database's at the last heartbeat; None where they are one.
    clock_ahead = models.FloatField(null=True)
    #: Wake-ups do not reach it: it finds work by polling.
    is_deaf = models.BooleanField(default=False, db_default=False)
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["state", "expires_at"], name="session_by_expiry")]

    def __str__(self) -> str:
        return f"{self.cluster} on {self.host}"

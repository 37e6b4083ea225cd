"""One line each, on every page, for what keeps runs from starting or pages from answering."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from dashboard.templatetags.trackside import who
from runs.health import all as health
from runs.health.points import BAD, Point, at_least
from runs.models import Queue, Run, Task
from runs.reads import sessions
from runs.states import PENDING

KEY, SLOW, ILL = "dashboard.banners", "dashboard.slow", "dashboard.ill"
#: Seconds the state of clusters and queues is remembered, and a slow list is told of.
REMEMBERED, TOLD = 5, 60
NAMED = 3
#: Seconds what the Health page looks at is remembered here.
LOOKED = 30


@dataclass(frozen=True, slots=True)
class Banner:
    """A sentence, what it is about, and where something can be done."""

    tone: str
    text: str
    address: str
    word: str
    since: datetime | None = None


def shown() -> list[Banner]:
    """Of now, a few seconds old."""
    found: list[Banner] | None = cache.get(KEY)
    if found is None:
        found = [*_health(), *_clusters(), *_queues(), *_tasks()]
        cache.set(KEY, found, REMEMBERED)
    slow = Banner(
        "warn",
        "The database is slow: a list of runs was stopped in the last minute.",
        reverse("dashboard:runs") + "?period=1h",
        "Shorter list",
    )
    return [*found, slow] if cache.get(SLOW) else found


def forget() -> None:
    """Somebody changed a queue and wants to see it."""
    cache.delete(KEY)


def was_slow() -> None:
    """A list hit its limit of time."""
    cache.set(SLOW, True, TOLD)


def _health() -> list[Banner]:
    """What the Health page calls bad, unless another line says it."""
    ill: list[Point] | None = cache.get(ILL)
    if ill is None:
        ill = [point for point in at_least(BAD, health.points()) if point.is_loud]
        cache.set(ILL, ill, LOOKED)
    address = reverse("dashboard:health")
    return [Banner("bad", f"{point.name}: {point.text}", address, "Health") for point in ill]


def _clusters() -> list[Banner]:
    """Silent while nothing waits for one."""
    if sessions.alive(timezone.now()).exists():
        return []
    if not Run.objects.filter(status__in=PENDING).exists():
        return []
    text = "No cluster is connected: nothing starts. Start one with “python manage.py qcluster”."
    return [Banner("bad", text, reverse("dashboard:workers"), "Workers")]


def _queues() -> list[Banner]:
    paused = list(Queue.objects.filter(paused=True).order_by("-paused_at")[:200])
    if not paused:
        return []
    together = [one for one in paused if one.all_paused_at and one.all_paused_at == one.paused_at]
    newest = together[0] if together else paused[0]
    if together:
        text = "All queues are paused"
    elif len(paused) == 1:
        text = f"Queue {newest.name} is paused"
    else:
        text = f"Queues {_named([one.name for one in paused])} are paused"
    text += _why(newest)
    return [Banner("warn", text, reverse("dashboard:queues"), "Queues", newest.paused_at)]


def _tasks() -> list[Banner]:
    """Runs of a paused task wait, whatever their queue: nobody would look for it there."""
    paused = list(Task.objects.filter(paused_at__isnull=False).order_by("-paused_at")[:200])
    if not paused:
        return []
    names, newest = [one.pk for one in paused], paused[0]
    text = f"Task {names[0]} is paused" if len(names) == 1 else f"Tasks {_named(names)} are paused"
    address = reverse("dashboard:task", args=[newest.pk])
    return [Banner("warn", text + _why(newest), address, "Task", newest.paused_at)]


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _why(paused: Queue | Task) -> str:
    """By whom, and what they said."""
    text = f" by {who(paused.paused_by)}" if paused.paused_by else ""
    return text + (f": {paused.paused_reason}" if paused.paused_reason else "")

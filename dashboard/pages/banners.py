"""One line each, on every page, for what keeps runs from starting or pages from answering."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.core.cache import cache
from django.db.models import DateTimeField, Value
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
#: Paused ones that are looked at.
MOST = 400
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
        found = [*_health(), *_clusters(), *_pauses()]
        cache.set(KEY, found, REMEMBERED)
    slow = Banner(
        "warn",
        "The database is slow: a list of runs was stopped in the last minute.",
        reverse("dashboard:runs") + "?period=1h",
        "Shorter list",
    )
    return [*found, slow] if cache.get(SLOW) else found


def state(found: list[Banner]) -> str:
    """In a word, for the icon of the tab."""
    return "bad" if any(banner.tone == "bad" for banner in found) else "well"


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


class Paused(NamedTuple):
    """A queue or a task none of whose runs starts."""

    is_task: bool
    name: str
    at: datetime | None
    by: str
    reason: str
    #: When all queues were paused together.
    all_at: datetime | None


def _pauses() -> list[Banner]:
    """Queues in one line, tasks in another: runs of a paused task wait whatever their queue."""
    told = "paused_at", "paused_by", "paused_reason"
    queues = Queue.objects.order_by().filter(paused=True)
    tasks = Task.objects.order_by().filter(paused_at__isnull=False)
    never = Value(None, output_field=DateTimeField())
    # one question for both: every page asks it
    rows = queues.values_list(Value(0), "name", *told, "all_paused_at").union(
        tasks.values_list(Value(1), "id", *told, never), all=True
    )
    found = sorted((Paused(*row) for row in rows[:MOST]), key=_newest_first)
    return [
        *_queues([one for one in found if not one.is_task]),
        *_tasks([one for one in found if one.is_task]),
    ]


def _newest_first(one: Paused) -> float:
    return -one.at.timestamp() if one.at else 0.0


def _queues(paused: list[Paused]) -> list[Banner]:
    if not paused:
        return []
    together = [one for one in paused if one.all_at and one.all_at == one.at]
    newest = together[0] if together else paused[0]
    names = [one.name for one in paused]
    text = "All queues are paused" if together else _are_paused("Queue", names)
    return [Banner("warn", text + _why(newest), reverse("dashboard:queues"), "Queues", newest.at)]


def _tasks(paused: list[Paused]) -> list[Banner]:
    if not paused:
        return []
    text = _are_paused("Task", [one.name for one in paused]) + _why(paused[0])
    address = reverse("dashboard:task", args=[paused[0].name])
    return [Banner("warn", text, address, "Task", paused[0].at)]


def _are_paused(what: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{what} {names[0]} is paused"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{what}s {', '.join(names[:NAMED])}{more} are paused"


def _why(paused: Paused) -> str:
    """By whom, and what they said."""
    text = f" by {who(paused.by)}" if paused.by else ""
    return text + (f": {paused.reason}" if paused.reason else "")

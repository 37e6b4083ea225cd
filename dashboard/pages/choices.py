"""What may be picked instead of typed, in filters and forms."""

from django.core.cache import cache
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from runs.models import Queue, RunTag, SessionState, Task, WorkerSession

#: Names of each kind, and tags looked through for them, newest runs first.
MOST, TAGS = 200, 500
#: Names of each kind that a list offers.
OFFERED = 40
#: Seconds before they are looked up again.
REMEMBERED = 15


def names() -> dict[str, list[str]]:
    """Tasks, queues, versions of living clusters, and tags of the newest runs that have any."""
    known: dict[str, list[str]] | None = cache.get("dashboard.choices")
    if known is None:
        alive = WorkerSession.objects.filter(state=SessionState.ALIVE)
        newest = RunTag.objects.order_by("-run_id").values_list("tag", flat=True)[:TAGS]
        known = {
            "tasks": list(Task.objects.authored().values_list("id", flat=True)[:MOST]),
            "queues": list(Queue.objects.values_list("name", flat=True)[:MOST]),
            "versions": sorted(set(alive.values_list("version", flat=True)) - {""})[:MOST],
            "tags": sorted(set(newest))[:MOST],
        }
        cache.set("dashboard.choices", known, REMEMBERED)
    return known


def lists() -> SafeString:
    """The same as lists that fields offer, by their kind; drawn as seldom as they are looked up."""
    drawn: SafeString | None = cache.get("dashboard.choices.drawn")
    if drawn is None:
        drawn = format_html_join(
            "",
            '<datalist id="{}">{}</datalist>',
            ((kind, _options(some[:OFFERED])) for kind, some in names().items()),
        )
        cache.set("dashboard.choices.drawn", drawn, REMEMBERED)
    return drawn


def _options(some: list[str]) -> SafeString:
    return format_html_join("", '<option value="{}"></option>', ((name,) for name in some))

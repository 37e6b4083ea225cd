"""What clusters do beside runs: counting, removing, firing."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from runs.health.points import OK, WARN, Point
from runs.lifecycle import ages, keeping
from runs.lifecycle.rollups import mark
from runs.models import Pin, Run, Schedule
from runs.reads import sessions

#: What may be behind, and by how much.
COUNTING, FIRING, REMOVING = timedelta(minutes=15), timedelta(minutes=2), timedelta(days=2)
#: Old runs looked at: some stay for their children's or their batch's sake.
LOOKED_AT = 200


def counting() -> Iterator[Point]:
    """Charts, metrics and rules of alerts go by what is counted."""
    now = timezone.now()
    behind, at_work = now - mark().until, sessions.living().filter(started_at__lt=now - COUNTING)
    if behind <= COUNTING or not at_work.exists():
        yield Point("counting", "Counting", OK, "Charts and metrics are up to date.")
        return
    text = f"Charts, metrics and alerts are {_hours(behind)} behind."
    todo = "It catches up by itself; if it does not, the log of the clusters says why."
    yield Point("counting", "Counting", WARN, text, todo, "metrics")


def schedules() -> Iterator[Point]:
    """Fires that are due and not made."""
    late = Schedule.objects.filter(next_at__lt=timezone.now() - FIRING).order_by("next_at")
    first = late.first()
    if first is None or first.next_at is None:
        yield Point("schedules", "Schedules", OK, "Fire in time.")
        return
    behind = timezone.now() - first.next_at
    text = f"{first.task_id} should have fired {_hours(behind)} ago."
    todo = "Schedules fire while a cluster lives; the log of the clusters says what keeps them."
    yield Point("schedules", "Schedules", WARN, text, todo, "schedules")


def retention() -> Iterator[Point]:
    """Runs that should be gone for days."""
    now, kept = timezone.now(), keeping.in_force()
    ends = ages.ends(kept, now - REMOVING)
    if not ends:
        yield Point("retention", "Retention", OK, "Runs are kept for ever.", page="retention")
        return
    for status, end in ends.items():
        oldest = Run.objects.filter(status=status).order_by("id").values_list("pk", "finished_at")
        some = list(oldest[:LOOKED_AT])
        pinned = set(Pin.objects.filter(pk__in=[pk for pk, _ in some]).values_list("pk", flat=True))
        old = [at for pk, at in some if at is not None and at < end and pk not in pinned]
        if len(old) == LOOKED_AT:
            text = f"More than {LOOKED_AT} runs that ended as {status} should be gone since {old[0]:%Y-%m-%d}."
            todo = "Clusters remove runs bit by bit: run another cluster, or look at their log. Runs with open children or keys stay."
            yield Point("retention", "Retention", WARN, text, todo, "retention")
            return
    yield Point("retention", "Retention", OK, "Old runs are removed in time.", page="retention")


def _hours(span: timedelta) -> str:
    minutes = span / timedelta(minutes=1)
    return f"{minutes:,.0f} min" if minutes < 120 else f"{minutes / 60:,.0f} h"

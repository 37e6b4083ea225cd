"""What schedules do next, and what became of their fires."""

from collections.abc import Iterable

from django.db.models import F, OuterRef, Q, Subquery

from runs.models import Run, Schedule, ScheduleTick

PAGE = 50
TICKS = 25


def page(search: str, number: int) -> tuple[list[Schedule], bool]:
    """One page (from 1) of the schedules whose task or ids contain `search`, the next to fire first.

    Each has `last_tick_id`. The second value says whether there are more.
    """
    rows = Schedule.objects.select_related("pending_delete")
    if search:
        rows = rows.filter(
            Q(task_id__icontains=search)
            | Q(external_id__icontains=search)
            | Q(deduplication_key__icontains=search)
            | Q(pk=search.lower())
        )
    last = ScheduleTick.objects.filter(schedule=OuterRef("pk")).order_by("-at").values("pk")[:1]
    rows = rows.annotate(last_tick_id=Subquery(last))
    start = (number - 1) * PAGE
    ordered = rows.order_by(F("next_at").asc(nulls_last=True), "task_id", "pk")
    found = list(ordered[start : start + PAGE + 1])
    return found[:PAGE], len(found) > PAGE


def ticks(schedule: Schedule) -> list[ScheduleTick]:
    """The newest of a schedule."""
    return list(ScheduleTick.objects.filter(schedule=schedule).order_by("-at")[:TICKS])


def ticks_by_id(ids: Iterable[int | None]) -> dict[int, ScheduleTick]:
    return ScheduleTick.objects.in_bulk([one for one in ids if one is not None])


def runs_of(made: Iterable[ScheduleTick]) -> dict[str, Run]:
    """The runs the fires made, by id; those that were pruned are missing."""
    return Run.objects.light().in_bulk([tick.run_id for tick in made if tick.run_id])

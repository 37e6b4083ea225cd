"""What retention would do, before it does it (DEC-50)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, Min, OuterRef
from django.utils import timezone

from runs.lifecycle.ages import Ends, are_old, ends
from runs.lifecycle.retention import unneeded
from runs.models import Run
from runs.models.run import RunQuerySet
from runs.states import FINAL


@dataclass(frozen=True, slots=True)
class Preview:
    """What retention does to the runs of one status: how many there are, are old, would go now."""

    status: str
    days: float
    count: int
    old: int
    going: int
    oldest: datetime | None

    @property
    def held(self) -> int:
        """Old ones that stay while something refers to them."""
        return self.old - self.going


def preview(kept: Mapping[str, float]) -> list[Preview]:
    """For each status runs end as, in few questions that read all of them."""
    now = timezone.now()
    before = ends(kept, now)
    ended = Run.objects.filter(status__in=FINAL)
    rows = ended.order_by().values_list("status").annotate(Count("pk"), Min("finished_at"))
    known = {status: (count, oldest) for status, count, oldest in rows}
    old, going = _counted(ended.filter(are_old(before))), _counted(that_go(before, now))
    return [
        Preview(
            status,
            kept[status],
            known[status][0] if status in known else 0,
            old.get(status, 0),
            going.get(status, 0),
            known[status][1] if status in known else None,
        )
        for status in kept
    ]


def that_go(before: Ends, now: datetime) -> RunQuerySet:
    """Old runs that nothing refers to but what goes with them."""
    young = Run.objects.filter(parent_id=OuterRef("pk")).exclude(are_old(before))
    return unneeded(now).filter(are_old(before)).filter(~Exists(young))


def _counted(runs: RunQuerySet) -> dict[str, int]:
    return dict(runs.order_by().values_list("status").annotate(Count("pk")))

"""What retention would do and when, told from a few rows (DEC-50)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, F, Value
from django.db.models.functions import Coalesce, Length
from django.utils import timezone

from runs.models import Pin, Run
from runs.models.run import RunQuerySet
from runs.reads.counts import Capped, capped
from runs.reads.deadline import TooSlow, deadline

#: Counts stop here; seconds for one status; runs whose size is looked at.
CAP, PATIENCE, SAMPLE = 10_000, 0.4, 200
#: What comes of age next.
AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Runs that ended so: those of age, those that come of age within a week, the oldest, and bytes."""

    status: str
    days: float
    now: Capped | None = None
    soon: Capped | None = None
    oldest: datetime | None = None
    size: int | None = None
    is_slow: bool = False


def outlook(kept: Mapping[str, float]) -> list[Outlook]:
    """For each status; a count that takes too long is left out."""
    return [_of(status, days) for status, days in kept.items()]


def pinned() -> Capped:
    return capped(Run.objects.filter(pk__in=Pin.objects.values("run_id")), CAP)


def _of(status: str, days: float) -> Outlook:
    runs = Run.objects.filter(status=status, finished_at__isnull=False)
    try:
        with deadline(PATIENCE):
            oldest = runs.order_by("id").values_list("finished_at", flat=True).first()
            if not days or oldest is None:
                return Outlook(status, days, oldest=oldest)
            moment = timezone.now() - timedelta(days=days)
            old = runs.filter(finished_at__lt=moment)
            next_ones = runs.filter(finished_at__gte=moment, finished_at__lt=moment + AHEAD)
            now, soon = capped(old, CAP), capped(next_ones, CAP)
            return Outlook(status, days, now, soon, oldest, _size(old, now))
    except TooSlow:
        return Outlook(status, days, is_slow=True)


def _size(old: RunQuerySet, count: Capped) -> int:
    """Bytes of their documents, by the average of some."""
    some = old.order_by("id")[:SAMPLE].annotate(
        size=sum(
            (Coalesce(Length(name), 0) for name in ("payload", "output", "error", "metadata")),
            start=Value(0),
        )
    )
    found = Run.objects.none() if not count else some
    average = found.aggregate(average=Avg(F("size")))["average"] if count else 0
    return int((average or 0) * min(count.value, count.cap))

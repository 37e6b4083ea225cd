"""How full the queues are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Count, Min, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast

from runs.models import Bucket, Lease, Queue, Ready
from runs.reads.windows import moment_of

CAP = 20_000
KEYS = 100


@dataclass(frozen=True, slots=True)
class Load:
    """What stands in one queue or one bucket. `more` when the count stopped at its cap."""

    running: int = 0
    queued: int = 0
    oldest: datetime | None = None
    more: bool = False

    @property
    def queued_text(self) -> str:
        return f"{self.queued:,}+" if self.more else f"{self.queued:,}"


def loads() -> dict[int, Load]:
    """Load by queue id; queued runs are counted over the CAP oldest claimable ones."""
    queue = Bucket.objects.filter(id=OuterRef("bucket_id")).values("queue_id")
    rows = _oldest_ready(Ready.objects.all()).annotate(
        group=Subquery(queue, output_field=BigIntegerField())
    )
    return _loads(rows, Lease.objects.order_by().values_list("queue_id"))


def load(queue: Queue) -> Load:
    """Of one queue."""
    mine = Ready.objects.filter(bucket_id__in=Bucket.objects.filter(queue=queue).values("id"))
    found = _oldest_ready(mine).aggregate(count=Count("run_id"), first=Min("run_id"))
    return Load(
        running=Lease.objects.filter(queue_id=queue.pk).count(),
        queued=found["count"],
        oldest=moment_of(found["first"]) if found["first"] else None,
        more=found["count"] >= CAP,
    )


def key_loads(queue: Queue) -> list[tuple[Bucket, Load]]:
    """The fullest buckets of `queue`, KEYS at most."""
    buckets = Bucket.objects.filter(queue=queue)
    rows = Ready.objects.filter(bucket_id__in=buckets.values("id"))
    grouped = _oldest_ready(rows).annotate(group=Cast("bucket_id", BigIntegerField()))
    leases = Lease.objects.filter(queue_id=queue.pk).order_by().values_list("bucket_id")
    found = _loads(grouped, leases)
    fullest = sorted(found, key=lambda key: (-found[key].queued, -found[key].running))[:KEYS]
    rows_by_id = buckets.in_bulk(fullest)
    return [(rows_by_id[key], found[key]) for key in fullest if key in rows_by_id]


def _oldest_ready(rows: QuerySet[Ready]) -> QuerySet[Ready]:
    claimable = rows.filter(not_before__isnull=True).order_by("run_id")
    return Ready.objects.filter(run_id__in=claimable.values("run_id")[:CAP]).order_by()


def _loads(ready: QuerySet[Any, Any], leases: QuerySet[Lease, tuple[int]]) -> dict[int, Load]:
    running: dict[int, int] = dict(leases.annotate(Count("run_id")))
    rows = ready.values_list("group").annotate(Count("run_id"), Min("run_id"))
    waiting = {group: (count, first) for group, count, first in rows}
    more = sum(count for count, _ in waiting.values()) >= CAP
    return {
        group: Load(
            running=running.get(group, 0),
            queued=waiting[group][0] if group in waiting else 0,
            oldest=moment_of(waiting[group][1]) if group in waiting else None,
            more=more and group in waiting,
        )
        for group in {*running, *waiting}
    }

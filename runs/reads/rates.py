"""How the rates of queues stand: what may start now, and when the next may."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, Min

from runs.models import Bucket, Queue
from runs.rates import SECOND


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many runs of a bucket may start now, and when the next may if none."""

    left: int
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """Buckets of a queue that its rate has closed, and when the first of them opens."""

    count: int
    next_at: datetime


def throttle(queue: Queue, bucket: Bucket | None, now: datetime) -> Throttle | None:
    """How one key of a queue stands; None for a queue without a rate."""
    pace = queue.pace
    if pace is None:
        return None
    at, arrival = int(now.timestamp() * SECOND), bucket.arrival if bucket else 0
    left = pace.left(arrival, at)
    return Throttle(left, None if left else moment(pace.opens(arrival, at)))


def closed(queues: Iterable[Queue]) -> dict[int, Closed]:
    """By queue id; asks nothing where no queue has a rate."""
    rated = [queue.pk for queue in queues if queue.pace is not None]
    if not rated:
        return {}
    found = Bucket.objects.filter(queue_id__in=rated, opens_at__isnull=False).order_by()
    rows = found.values_list("queue_id").annotate(Count("pk"), Min("opens_at"))
    return {queue_id: Closed(count, moment(first)) for queue_id, count, first in rows}


def moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / SECOND, UTC)

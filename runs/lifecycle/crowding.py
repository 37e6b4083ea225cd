"""How many runs may stand queued in one queue (features.md QD-8)."""

from collections import Counter
from collections.abc import Iterable

from runs.errors import QueueFull
from runs.lifecycle.rows import Plan
from runs.models import Bucket, Ready
from runs.states import RunStatus


def check(plans: Iterable[Plan], most: int) -> None:
    """Raise QueueFull if these new runs are more than their queues have room for.

    Triggers at the same time do not see each other, so that a queue may exceed its most by theirs.
    """
    queued = [plan for plan in plans if plan.status == RunStatus.QUEUED and plan.bucket is not None]
    coming = Counter((plan.queue, plan.bucket.queue_id) for plan in queued if plan.bucket)
    for (name, queue_id), count in coming.items():
        buckets = Bucket.objects.filter(queue_id=queue_id).order_by().values("pk")
        standing = Ready.objects.filter(bucket_id__in=buckets, not_before__isnull=True)
        room = most - standing.order_by().values("pk")[:most].count()
        if count > room:
            raise QueueFull(name, count, room, most)

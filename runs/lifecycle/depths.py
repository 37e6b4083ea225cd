"""How full the queues are, looked at once a minute by any cluster."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from runs.lifecycle.rollups import MINUTES_KEPT, floor, mark
from runs.models import Bucket, Depth, Lease, Queue, RollupMark, SessionState, Step, WorkerSession
from runs.reads.deadline import TooSlow, deadline
from runs.reads.queues import loads
from runs.reads.windows import moment_of

#: Seconds counting may take; then the first ones are counted alone.
PATIENCE = 0.5
QUEUED = """
SELECT b.queue_id, count(*), min(r.run_id) FROM runs_ready r JOIN runs_bucket b ON b.id = r.bucket_id
 WHERE r.not_before IS NULL GROUP BY b.queue_id
"""
#: Queued runs, and since when the first of them has waited.
Waiting = dict[int, tuple[int, datetime | None]]


def sample_depths() -> int:
    """Record how full the queues are in this minute, unless another cluster has. Returns how many rows."""
    now = timezone.now()
    at, before = floor(now, Step.MINUTE), mark()
    if before.sampled_at >= at:
        return 0
    due = RollupMark.objects.filter(pk=before.pk, sampled_at=before.sampled_at)
    if not due.update(sampled_at=at):
        return 0
    rows = _depths(now, at)
    Depth.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def prune_depths() -> int:
    """Remove samples older than minutes are kept. Returns how many."""
    before = floor(timezone.now() - MINUTES_KEPT, Step.MINUTE)
    names = ["", *Queue.objects.values_list("name", flat=True)]
    old = Depth.objects.filter(queue__in=names, at__lt=before)
    if not old.exists():
        return 0
    return int(old._raw_delete(old.db))


def _depths(now: datetime, at: datetime) -> list[Depth]:
    waiting = _waiting()
    running = dict(Lease.objects.order_by().values_list("queue_id").annotate(Count("run_id")))
    busy = {*waiting, *running}
    keys = dict(
        Bucket.objects.filter(queue_id__in=busy)
        .order_by()
        .values_list("queue_id")
        .annotate(Count("pk"))
    )
    rows = [
        Depth(
            queue=queue.name,
            at=at,
            queued=waiting.get(queue.pk, (0, None))[0],
            running=running.get(queue.pk, 0),
            room=room_of(queue, keys.get(queue.pk, 1)),
            oldest=_seconds(now, waiting.get(queue.pk, (0, None))[1]),
        )
        for queue in Queue.objects.filter(pk__in=busy)
    ]
    alive = WorkerSession.objects.filter(state=SessionState.ALIVE, draining=False)
    whole = Depth(
        queue="",
        at=at,
        queued=sum(row.queued for row in rows),
        running=sum(running.values()),
        room=alive.aggregate(slots=Sum("slots"))["slots"] or 0,
        oldest=max((row.oldest for row in rows), default=0),
    )
    return [whole, *rows]


def room_of(queue: Queue, keys: int) -> int | None:
    """How many runs its limits let execute at once when so many concurrency keys are in use."""
    if queue.paused:
        return 0
    bounds = [queue.total, None if queue.limit is None else queue.limit * max(keys, 1)]
    return min((bound for bound in bounds if bound is not None), default=None)


def _waiting() -> Waiting:
    try:
        with deadline(PATIENCE), connection.cursor() as cursor:
            cursor.execute(QUEUED)
            return {pk: (count, moment_of(first)) for pk, count, first in cursor.fetchall()}
    except TooSlow:
        return {pk: (load.queued, load.oldest) for pk, load in loads().items() if load.queued}


def _seconds(now: datetime, since: datetime | None) -> int:
    return 0 if since is None else max(0, (now - since) // timedelta(seconds=1))

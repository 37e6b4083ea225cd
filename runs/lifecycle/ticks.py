"""The account of fires: what became of each, and why."""

import json
from datetime import datetime, timedelta

from django.utils import timezone

from runs.cron import Cron
from runs.lifecycle import totals
from runs.models import Schedule, ScheduleTick, TickOutcome, WorkerSession

#: Fires a run's payload announces.
ANNOUNCED = 5
#: Missed fires are counted one by one up to here.
COUNTED = 10_000
INSTANT = timedelta(microseconds=1)


def tick(row: Schedule, at: datetime, outcome: TickOutcome, reason: str = "") -> ScheduleTick:
    """A fire's row, not stored yet."""
    return ScheduleTick(
        schedule_id=row.pk,
        at=at,
        until=at,
        outcome=outcome,
        reason=reason,
        recorded_at=timezone.now(),
    )


def miss(row: Schedule, until: datetime, reason: str = "") -> None:
    """Record that the fires of `row` from its next one up to `until` were not made.

    Without a reason it is found out: either no cluster was there, or those that were came too late.
    """
    if row.next_at is None or row.next_at > until:
        return
    clock, start = row.clock, row.next_at - INSTANT
    last = clock.latest(start, until, 1) or [row.next_at]
    count = sum(1 for _, _ in zip(range(COUNTED), clock.between(start, last[0]), strict=False))
    missed(row, row.next_at, last[0], max(count, 1), reason or why(row.next_at, last[0]))


def missed(row: Schedule, at: datetime, until: datetime, count: int, reason: str) -> None:
    """Store that fires were missed; goes on with the row of those right before, if it says the same."""
    totals.count_missed(count)
    before = ScheduleTick.objects.filter(schedule=row).order_by("-at").first()
    if before is not None and (before.outcome, before.reason) == (TickOutcome.MISSED, reason):
        before.until, before.count = max(until, before.until), before.count + count
        before.save(update_fields=["until", "count"])
        return
    made = tick(row, at, TickOutcome.MISSED, reason)
    made.until, made.count = until, count
    made.save()


def why(at: datetime, until: datetime) -> str:
    """Why nobody made the fires between two moments."""
    there = WorkerSession.objects.filter(started_at__lte=at, heartbeat_at__gte=until)
    if there.exists():
        return "A cluster was running but came too late."
    return "No cluster was running."


def payload(row: Schedule, at: datetime, clock: Cron) -> str:
    """What the run of a fire gets, in the reference's form (features.md 12.1): times as they are named."""
    named = clock.nominal(at)
    return json.dumps(
        {
            "type": row.type,
            "timestamp": moment(named),
            "lastTimestamp": moment(row.last_at) if row.last_at else None,
            "timezone": row.timezone,
            "scheduleId": row.pk,
            "externalId": row.external_id,
            "upcoming": [moment(later) for later in clock.plain.upcoming(named, ANNOUNCED)],
        }
    )


def moment(value: datetime) -> str:
    """As JavaScript writes a date; fires are in UTC and have no fraction."""
    return f"{value:%Y-%m-%dT%H:%M:%S}.000Z"

"""Counting ahead what runs came to: behind the runs, by any cluster, one at a time.

Nothing is counted where runs end. What ended before the mark is in a rollup of its minute; later on
each minute is compared with the runs again, since a run may be recorded late, and counted anew where
that differs. An hour is put together from its minutes and a day from its hours.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from runs import conf, histograms
from runs.lifecycle import totals
from runs.models import Facet, Rollup, RollupMark, Run, Step
from runs.models.rollup import NEVER_YET
from runs.reads.rollups import tally_of
from runs.reads.tally import (
    ENDINGS,
    LENGTHS,
    Tallies,
    Tally,
    ended_between,
    made_between,
    tally,
)
from runs.reads.windows import floor_id, moment_of

MINUTE, HOUR, DAY = LENGTHS[Step.MINUTE], LENGTHS[Step.HOUR], LENGTHS[Step.DAY]
#: A minute is counted so long after its end.
GRACE = timedelta(seconds=5)
#: And looked at again when it is so old.
AGAIN = (timedelta(minutes=2), timedelta(minutes=15), timedelta(hours=2))
#: How long there are minutes.
MINUTES_KEPT = timedelta(hours=48)
#: A cluster that has not written after this long is taken to be gone.
TURN = timedelta(seconds=60)
#: Runs counted at once, as far as whole minutes allow.
MOST = 10_000
#: Rows removed at a time.
BATCH = 2000


def roll_up() -> int:
    """Count some minutes that are over. Returns how many; 0 when none is left, or it is another's turn."""
    now = timezone.now()
    known = mark()
    closed = floor(now - GRACE, Step.MINUTE)
    if known.until >= closed or known.taken_until > now:
        return 0
    turn = now + TURN
    free = RollupMark.objects.filter(pk=known.pk, until=known.until, taken_until=known.taken_until)
    if not free.update(taken_until=turn):
        return 0
    start, end, step = _next(known.until, closed, now)
    found = tally(start, end, step) if start < end else {}
    late = [stretch for stretch in _late(known.until, end, now) if _differs(*stretch)]
    again = [(*stretch, tally(*stretch, Step.MINUTE)) for stretch in late]
    with transaction.atomic():
        mine = RollupMark.objects.filter(pk=known.pk, until=known.until, taken_until=turn)
        totaled = max(known.totaled_until, end)
        if not mine.update(until=end, taken_until=now, totaled_until=totaled):
            return 0
        _write(start, end, step, found)
        grown = [_grown(*stretch) for stretch in again]
        totals.add(
            {key: one for key, one in found.items() if key[2] >= known.totaled_until}, *grown
        )
        for first, last, counted in again:
            _write(first, last, Step.MINUTE, counted)
        hours = _hours(start, end) if step == Step.MINUTE else []
        hours += [hour for first, last in late for hour in _hours(first, last)]
        _put_together(hours, Step.HOUR, Step.MINUTE)
        days = {floor(at, Step.DAY) for at in (known.until, *hours, *_hours(start, end))}
        _put_together([day for day in days if day + DAY <= end], Step.DAY, Step.HOUR)
    return max(1, (end - start) // MINUTE)


def count_anew(since: datetime) -> None:
    """Runs were written or removed that ended since then, not by finishing: count them again."""
    known = mark()
    start = floor(since, Step.DAY)
    if known.until > start:
        RollupMark.objects.filter(pk=known.pk).update(until=start, taken_until=NEVER_YET)


def prune_rollups() -> int:
    """Remove minutes and hours that are older than they are kept. Returns how many rows."""
    until = mark().until
    before = {Step.MINUTE: floor(min(until, timezone.now() - MINUTES_KEPT), Step.HOUR)}
    days = float(conf.get("ROLLUP_RETENTION_DAYS"))
    if days > 0:
        oldest = timezone.now() - timedelta(days=days)
        before |= {Step.HOUR: oldest, Step.DAY: oldest}
    return sum(_prune(step, moment) for step, moment in before.items())


def floor(moment: datetime, step: Step) -> datetime:
    """The beginning of the minute, hour or day in UTC."""
    seconds = LENGTHS[step].total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def mark() -> RollupMark:
    """The one row."""
    found = RollupMark.objects.order_by("pk").first()
    return found or RollupMark.objects.get_or_create(pk=1)[0]


def _next(until: datetime, closed: datetime, now: datetime) -> tuple[datetime, datetime, Step]:
    """What to count now: as many minutes as hold MOST runs; of old times, whole hours at once."""
    start = _first(until, closed)
    if start >= closed:
        return closed, closed, Step.MINUTE
    old = floor(now - MINUTES_KEPT, Step.HOUR)
    most = old if start < old else min(closed, floor(start, Step.HOUR) + HOUR)
    end = max(floor(min(_full(start, most), most), Step.MINUTE), start + MINUTE)
    if start == floor(start, Step.HOUR) and end <= old and floor(end, Step.HOUR) > start:
        return start, floor(end, Step.HOUR), Step.HOUR
    return start, min(end, floor(start, Step.HOUR) + HOUR), Step.MINUTE


def _first(until: datetime, closed: datetime) -> datetime:
    """`until`, or the hour of the next run where nothing was for longer."""
    ended = Run.objects.filter(finished_at__gte=until).order_by("finished_at")
    made = Run.objects.filter(id__gte=floor_id("run", until)).order_by("id")
    next_end = ended.values_list("finished_at", flat=True).first()
    next_made = made.values_list("id", flat=True).first()
    coming = [moment for moment in (next_end, next_made and moment_of(next_made)) if moment]
    return max(until, min([floor(moment, Step.HOUR) for moment in coming], default=closed))


def _full(start: datetime, most: datetime) -> datetime:
    """The end of the MOST next runs."""
    rows = Run.objects.filter(finished_at__gte=start, finished_at__lt=most).order_by("finished_at")
    return rows.values_list("finished_at", flat=True)[MOST : MOST + 1].first() or most


def _late(until: datetime, end: datetime, now: datetime) -> Iterable[tuple[datetime, datetime]]:
    """The minutes that have come of age to be looked at again; none while it catches up with days."""
    if until > now - DAY:
        yield from ((until - age, end - age) for age in AGAIN)


def _differs(start: datetime, end: datetime) -> bool:
    """Whether there are more runs than were counted; fewer there are when old ones were removed."""
    rows = Rollup.objects.filter(step=Step.MINUTE, facet=Facet.ALL, at__gte=start, at__lt=end)
    counted = rows.aggregate(**{name: Sum(name) for name in ("triggered", *ENDINGS.values())})
    made = counted.pop("triggered") or 0
    ended = sum(count or 0 for count in counted.values())
    return ended_between(start, end) > ended or made_between(start, end) > made


def _grown(start: datetime, end: datetime, counted: Tallies) -> Tallies:
    """What is there now beyond the rows of these minutes."""
    rows = Rollup.objects.filter(
        step=Step.MINUTE, facet__in=Facet.values, at__gte=start, at__lt=end
    )
    before = {(row.facet, row.name, row.at): tally_of(row) for row in rows}
    return {key: one.beyond(before.get(key, Tally())) for key, one in counted.items()}


def _write(start: datetime, end: datetime, step: Step, found: Tallies) -> None:
    """Replace the rows of this time."""
    old = Rollup.objects.filter(step=step, facet__in=Facet.values, at__gte=start, at__lt=end)
    old._raw_delete(old.db)
    Rollup.objects.bulk_create(
        (_row(step, facet, name, at, one) for (facet, name, at), one in found.items()),
        batch_size=500,
    )


def _row(step: Step, facet: str, name: str, at: datetime, one: Tally) -> Rollup:
    return Rollup(
        step=step,
        facet=facet,
        name=name[:256],
        at=at,
        durations=histograms.dump(one.durations),
        waits=histograms.dump(one.waits),
        **one.counts,
    )


def _put_together(times: Collection[datetime], step: Step, smaller: Step) -> None:
    """Make the rows of these times anew from those of the smaller step."""
    for at in sorted(set(times)):
        found: Tallies = {}
        end = at + LENGTHS[step]
        parts = Rollup.objects.filter(step=smaller, facet__in=Facet.values, at__gte=at, at__lt=end)
        for part in parts:
            found.setdefault((part.facet, part.name, at), Tally()).add(tally_of(part))
        _write(at, end, step, found)


def _hours(start: datetime, end: datetime) -> list[datetime]:
    first = floor(start, Step.HOUR)
    return [first + HOUR * number for number in range(-((first - end) // HOUR))]


def _prune(step: Step, before: datetime) -> int:
    old = Q(step=step, facet__in=Facet.values, at__lt=before)
    oldest: Any = Rollup.objects.filter(old).order_by("at").values_list("at", flat=True)[:BATCH]
    moments = list(oldest)
    if not moments:
        return 0
    gone = Rollup.objects.filter(old, at__lte=moments[-1])
    return int(gone._raw_delete(gone.db))

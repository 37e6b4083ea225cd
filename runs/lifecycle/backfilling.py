"""Fires of the past that a person asks for: those nobody made, or all of a stretch of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db import transaction
from django.utils import timezone

from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit, ticks
from runs.lifecycle.options import TriggerItem, TriggerOptions
from runs.lifecycle.triggering import trigger_many
from runs.models import Overlap, Schedule, ScheduleTick, Source, TickOutcome

#: Runs of one backfill.
MOST = 1000
#: Year before which clocks cannot be asked in every zone.
EARLIEST = 1970
#: Fires that made their run already, or will.
MADE = (TickOutcome.FIRED, TickOutcome.HELD, TickOutcome.BY_HAND)


@dataclass(frozen=True, slots=True)
class Plan:
    """The fires a backfill would make, oldest first; `made` were made at their time and are left out.

    `is_cut` says that there are more than one backfill makes.
    """

    fires: tuple[datetime, ...]
    made: int
    is_cut: bool = False


def plan(row: Schedule, start: datetime, until: datetime) -> Plan:
    """What `backfill` would make of the schedule's times from `start` to `until`, both included.

    Raises InvalidOption for a stretch that is none, or has not passed.
    """
    if start.year < EARLIEST:
        raise InvalidOption("start", f"The beginning is before {EARLIEST}.")
    if until < start:
        raise InvalidOption("until", "The end comes before the beginning.")
    if until > timezone.now():
        raise InvalidOption("until", "A backfill is for times that have passed.")
    clock = row.clock
    due = islice(clock.between(start - ticks.INSTANT, until), ticks.COUNTED)
    made = _made(row, start, until)
    missing: list[datetime] = []
    known = 0
    for at in due:
        if at in made:
            known += 1
        elif len(missing) == MOST:
            return Plan(tuple(missing), known, is_cut=True)
        else:
            missing.append(at)
    return Plan(tuple(missing), known)


def _made(row: Schedule, start: datetime, until: datetime) -> set[datetime]:
    ticks = ScheduleTick.objects.filter(
        schedule=row, outcome__in=MADE, at__gte=start, at__lte=until
    )
    return set(ticks.values_list("at", flat=True))


@transaction.atomic
def backfill(
    schedule_id: str,
    fires: Iterable[datetime],
    *,
    actor: str,
    per_minute: int = 0,
    reason: str = "",
) -> list[str]:
    """Make the runs of these fires, each with the payload of its time; the ids of the runs.

    Fires that were made meanwhile are left out, so that a form sent twice makes one run of each.

    `per_minute` spreads their starts; 0 lets all start at once, as far as their queue has room.
    Overlap is not asked. Raises NotFound, and what `trigger_many` raises.
    """
    row = Schedule.objects.select_for_update().filter(pk=schedule_id).first()
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id[:60]}.")
    asked = sorted(set(fires))[:MOST]
    if asked:
        made_before = _made(row, asked[0], asked[-1])
        asked = [at for at in asked if at not in made_before]
    apart = 60 / per_minute if per_minute else 0.0
    items = [_item(row, at, number * apart) for number, at in enumerate(asked)]
    made = trigger_many(items, source=Source.SCHEDULE, actor=actor)
    for at, run in zip(asked, made, strict=True):
        _note(row, at, run.run_id, actor)
    if not asked:
        return []
    span = {"from": asked[0], "to": asked[-1]}
    audit.record(actor, "schedule.backfill", row.pk, reason=reason, count=len(asked), **span)
    return [run.run_id for run in made]


def _item(row: Schedule, at: datetime, delay: float) -> TriggerItem:
    options = TriggerOptions(
        schedule_id=row.pk,
        overlap=Overlap.ALLOW,
        delay=delay or None,
    )
    return TriggerItem(
        task_id=row.task_id, payload=ticks.payload(row, at, row.clock.plain), options=options
    )


def _note(row: Schedule, at: datetime, run_id: str, actor: str) -> None:
    """Put it on the account, and take it off what was missed."""
    missed = ScheduleTick.objects.filter(
        schedule=row, outcome=TickOutcome.MISSED, count__gt=1, at__lte=at, until__gte=at
    ).first()
    if missed is not None:
        missed.count -= 1
        if missed.at == at:
            missed.at = row.clock.next(at) or missed.until
        missed.save(update_fields=["at", "count"])
    known = ScheduleTick.objects.filter(schedule=row, at=at).first()
    tick = known or ticks.tick(row, at, TickOutcome.BY_HAND)
    tick.outcome, tick.run_id = TickOutcome.BY_HAND, run_id
    tick.reason = f"Backfilled by {actor.partition(':')[2]}."
    tick.save()

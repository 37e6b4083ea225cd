"""A fire that a person asks for, beside those of the clock."""

from django.db import transaction
from django.utils import timezone

from runs.errors import NotFound
from runs.lifecycle import audit, ticks
from runs.lifecycle.options import Triggered, TriggerOptions
from runs.lifecycle.triggering import trigger
from runs.models import Schedule, ScheduleTick, Source, TickOutcome


@transaction.atomic
def run_now(schedule_id: str, *, actor: str) -> Triggered:
    """Make one run as a fire at this moment would; also of a schedule that is off.

    Its next times stay as they are, and so does what the next payload calls the last one. Overlap is
    not asked: a person wants it now. Raises NotFound, and what `trigger` raises.
    """
    row = Schedule.objects.select_for_update().filter(pk=schedule_id).first()
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id[:60]}.")
    now = timezone.now()
    made = trigger(
        row.task_id,
        ticks.payload(row, now, row.clock.plain),
        TriggerOptions(schedule_id=row.pk),
        source=Source.SCHEDULE,
        actor=actor,
    )
    while ScheduleTick.objects.filter(schedule=row, at=now).exists():
        now += ticks.INSTANT  # a clock may stand still, or be set back
    tick = ticks.tick(row, now, TickOutcome.BY_HAND, f"Asked for by {actor.partition(':')[2]}.")
    tick.run_id = made.run_id
    tick.save()
    audit.record(actor, "schedule.run_now", row.pk, run_id=made.run_id)
    return made

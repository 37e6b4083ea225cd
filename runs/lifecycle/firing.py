"""Firing: schedules whose time has come make their runs, each fire once on any number of clusters.

Whoever fires a schedule holds its row's lock, writes the tick, makes the run and sets the next time in
one transaction. There is no leader: every cluster fires what is due and nobody has locked.
"""

import logging
from datetime import UTC, datetime

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from runs.errors import NotFound
from runs.lifecycle import canceling, ticks
from runs.lifecycle.sheet import Sheet, open_runs, policy_of, unfit
from runs.lifecycle.transition import skip_locked
from runs.models import Overlap, PendingDelete, Schedule, ScheduleTick, TickOutcome

log = logging.getLogger("trackside")

LINK_IS_BROKEN = (OperationalError, InterfaceError)
#: What every cluster asks once a second, so it is put together by hand.
LOOK = """
SELECT (SELECT next_at FROM runs_schedule WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1),
       EXISTS (SELECT 1 FROM runs_schedule WHERE held_at IS NOT NULL)
"""
#: Schedules fired in one transaction.
BATCH = 100


def fire_due() -> datetime | None:
    """Make the runs of fires that are due, of one batch. Returns when the next is; it may have come."""
    due, holds = look()
    if due is not None and due <= timezone.now():
        _fire_batch()
        due, holds = look()
    for schedule_id in (
        Schedule.objects.holding().values_list("pk", flat=True)[:BATCH] if holds else ()
    ):
        _release_guarded(schedule_id)
    return due


def look() -> tuple[datetime | None, bool]:
    """When the next fire of any schedule is, and whether one waits for a run to end."""
    with connection.cursor() as cursor:
        cursor.execute(LOOK)
        due, holds = cursor.fetchone()
    if isinstance(due, str):  # an SQLite that does not know the column's type
        due = datetime.fromisoformat(due)
    if due is not None and due.tzinfo is None:
        due = due.replace(tzinfo=UTC)
    return due, bool(holds)


def _fire_batch() -> None:
    """All in one go; when something nobody thought of is wrong with one, each by itself."""
    now = timezone.now()
    try:
        _fire(Schedule.objects.due(now), now)
    except LINK_IS_BROKEN:
        raise
    except Exception:
        log.exception("Some schedule could not be fired; trying them one by one.")
        for schedule_id in list(Schedule.objects.due(now).values_list("pk", flat=True)[:BATCH]):
            _fire_alone(schedule_id, now)


@transaction.atomic
def _fire(due: QuerySet[Schedule], now: datetime) -> None:
    sheet = Sheet(list(due[:BATCH].select_for_update(**skip_locked())), now)
    for row in sheet.rows:
        sheet.fire(row)
    sheet.write()


def _fire_alone(schedule_id: str, now: datetime) -> None:
    try:
        _fire(Schedule.objects.due(now).filter(pk=schedule_id), now)
    except LINK_IS_BROKEN:
        raise
    except Exception as error:
        log.exception("Schedule %s could not be fired.", schedule_id)
        _give_up(schedule_id, now, f"It could not be fired: {error!r:.500}")


@transaction.atomic
def _give_up(schedule_id: str, now: datetime, reason: str) -> None:
    """Go on with the next fire, so that this one is not tried for ever."""
    for row in Schedule.objects.due(now).filter(pk=schedule_id).select_for_update():
        assert row.next_at is not None
        ticks.tick(row, row.next_at, TickOutcome.REFUSED, reason).save()
        row.next_at = row.clock.next(now)
        row.save(update_fields=["next_at"])


def _release_guarded(schedule_id: str) -> None:
    try:
        _release(schedule_id)
    except LINK_IS_BROKEN:
        raise
    except Exception:
        log.exception("The waiting fire of schedule %s could not be made.", schedule_id)


def _release(schedule_id: str) -> None:
    """Make the fire a schedule holds, once nothing of it is open any more."""
    row = Schedule.objects.filter(pk=schedule_id).first()
    if row is None or PendingDelete.objects.filter(pk=schedule_id).exists():
        return
    policy = policy_of(row)
    if policy == Overlap.CANCEL_PREVIOUS:
        for run_id in open_runs(schedule_id):
            _stop(run_id, schedule_id)
    if policy == Overlap.ALLOW or not open_runs(schedule_id):
        _release_now(schedule_id)


def _stop(run_id: str, schedule_id: str) -> None:
    try:
        reason = "A later fire of its schedule took its place."
        canceling.cancel(run_id, actor=f"schedule:{schedule_id}", reason=reason)
    except NotFound:
        return  # it was pruned


@transaction.atomic
def _release_now(schedule_id: str) -> None:
    """Under the lock, as everything that fires: whoever was first has emptied `held_at`."""
    holding = Schedule.objects.holding().filter(pk=schedule_id)
    rows = list(holding.select_for_update(**skip_locked()))
    sheet = Sheet(rows, timezone.now())
    for row in rows:
        tick = ScheduleTick.objects.filter(schedule=row, outcome=TickOutcome.HELD).first()
        if tick is not None and (problem := unfit(row.task_id)):
            tick.outcome, tick.reason = TickOutcome.MISSED, problem
            tick.save(update_fields=["outcome", "reason"])
        elif tick is not None:
            sheet.want(row, tick.at, f"It had waited. {tick.reason}", tick)
        row.held_at = None
    sheet.write()

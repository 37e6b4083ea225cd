"""What a batch of schedules fires: decided one by one, written in few statements."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from runs import conf
from runs.errors import InvalidOption, RunsError
from runs.lifecycle import definitions, ticks
from runs.lifecycle.options import Triggered, TriggerItem, TriggerOptions
from runs.lifecycle.triggering import trigger_many
from runs.models import CatchUp, Overlap, Run, Schedule, ScheduleTick, Source, TickOutcome

#: Missed fires that `catch_up="all"` makes up for at once, the newest of them.
MADE_UP = 100
#: Open runs of a schedule that are looked at.
LOOKED_AT = 100
#: For each row; the ORM's `bulk_update` takes ten times as long to put its statement together.
SAVE = """
UPDATE runs_schedule SET next_at = %s, last_at = %s, held_at = %s, last_run_id = %s WHERE id = %s
"""
BROKEN = "The task's file failed to import."
UNKNOWN = "No cluster had the task."


class Wanted(NamedTuple):
    """A run to make: for which schedule and fire, and the schedule's last fire before it."""

    row: Schedule
    tick: ScheduleTick
    item: TriggerItem
    before: datetime | None


class Sheet:
    """What a batch of schedules fires, written in few statements."""

    def __init__(self, rows: list[Schedule], now: datetime) -> None:
        self.rows, self.now = rows, now
        self.grace = timedelta(seconds=float(conf.get("SCHEDULE_GRACE_SECONDS")))
        self.others: list[ScheduleTick] = []
        self.wanted: list[Wanted] = []
        self.making: dict[str, int] = defaultdict(int)
        #: Fires that are on record: a clock that was set back must not make them again.
        known = ScheduleTick.objects.filter(
            schedule__in=rows,
            at__gte=min((row.next_at for row in rows if row.next_at), default=now),
        )
        self.known = set(known.values_list("schedule_id", "at"))

    def fire(self, row: Schedule) -> None:
        """Decide on everything of one schedule that is due, and set its next time."""
        try:
            clock = row.clock
        except InvalidOption as error:
            assert row.next_at is not None
            self.others.append(ticks.tick(row, row.next_at, TickOutcome.REFUSED, str(error)))
            row.next_at = None
            return
        fires = self.chosen(row)
        ticks.miss(row, fires[0] - ticks.INSTANT if fires else self.now)
        for at in fires:
            if (row.pk, at) not in self.known:
                self.decide(row, at)
        row.next_at = clock.next(self.now)

    def chosen(self, row: Schedule) -> list[datetime]:
        """The due fires that are to be made: those that are on time, and what is caught up on."""
        assert row.next_at is not None
        first, still = row.next_at - ticks.INSTANT, self.now - self.grace - ticks.INSTANT
        if row.catch_up == CatchUp.ALL:
            return row.clock.latest(first, self.now, MADE_UP) or [row.next_at]
        on_time = row.clock.latest(max(first, still), self.now, MADE_UP)
        if on_time or (row.catch_up == CatchUp.SKIP and row.next_at <= still):
            return on_time
        return row.clock.latest(first, self.now, 1) or [row.next_at]

    def decide(self, row: Schedule, at: datetime) -> None:
        if problem := unfit(row.task_id):
            ticks.missed(row, at, at, 1, problem)
            return
        policy = policy_of(row)
        if policy == Overlap.ALLOW or not (reason := self.in_the_way(row)):
            self.want(row, at, self.late(at))
        elif policy == Overlap.SKIP:
            self.others.append(ticks.tick(row, at, TickOutcome.SKIPPED, reason))
        else:
            self.hold(row, at, policy, reason)

    def in_the_way(self, row: Schedule) -> str:
        """Which open run an earlier fire made, in words; empty when none is in the way."""
        if self.making[row.pk]:
            return "The fire before it has just made its run."
        found = open_runs(row.pk)
        return f"Run {found[-1]} was still open." if found else ""

    def hold(self, row: Schedule, at: datetime, policy: str, reason: str) -> None:
        """One fire waits until nothing is open: the first, or the last if it replaces the others."""
        if row.held_at is None:
            row.held_at = at
            self.others.append(ticks.tick(row, at, TickOutcome.HELD, reason))
        elif policy == Overlap.QUEUE_ONE:
            reason = f"{reason} One fire was waiting already."
            self.others.append(ticks.tick(row, at, TickOutcome.SKIPPED, reason))
        else:
            self.drop_held(row, "A later fire took its place.")
            row.held_at = at
            self.others.append(ticks.tick(row, at, TickOutcome.HELD, reason))

    def drop_held(self, row: Schedule, reason: str) -> None:
        for made in self.others:
            if (made.schedule_id, made.at) == (row.pk, row.held_at):
                made.outcome, made.reason = TickOutcome.SKIPPED, reason
        drop_held(row, reason)

    def late(self, at: datetime) -> str:
        return "Made up for: it came too late." if self.now - at > self.grace else ""

    def want(
        self, row: Schedule, at: datetime, reason: str, tick: ScheduleTick | None = None
    ) -> None:
        """Ask for the run of a fire, whose tick may be on record already."""
        tick = tick or ticks.tick(row, at, TickOutcome.FIRED)
        tick.outcome, tick.reason = TickOutcome.FIRED, reason
        item = TriggerItem(
            task_id=row.task_id,
            payload=ticks.payload(row, at, row.clock),
            # its own policy is about its own runs, and applied already
            options=TriggerOptions(
                schedule_id=row.pk,
                turn=at,  # features.md PR-4
                overlap=Overlap.ALLOW if row.overlap else None,
            ),
        )
        self.wanted.append(Wanted(row, tick, item, row.last_at))
        self.making[row.pk] += 1
        row.last_at = row.clock.nominal(at)

    def write(self) -> None:
        """Make the runs, store ticks and schedules."""
        answers = _make([one.item for one in self.wanted])
        for one, answer in zip(self.wanted, answers, strict=True):
            if isinstance(answer, Triggered) and not answer.is_skipped:
                one.row.last_run_id = one.tick.run_id = answer.run_id
                continue
            one.row.last_at = one.before
            if isinstance(answer, Triggered):
                one.tick.outcome = TickOutcome.SKIPPED
                one.tick.reason = f"Run {answer.run_id} was still open."
            else:
                one.tick.outcome, one.tick.reason = TickOutcome.REFUSED, str(answer)
        made = [*self.others, *(one.tick for one in self.wanted)]
        stored = [tick for tick in made if not tick._state.adding]
        ScheduleTick.objects.bulk_create([tick for tick in made if tick._state.adding])
        if stored:
            ScheduleTick.objects.bulk_update(stored, ["outcome", "reason", "run_id"])
        _save_state(self.rows)


def policy_of(row: Schedule) -> str:
    """The schedule's own overlap policy, else its task's."""
    return row.overlap or definitions.task(row.task_id).overlap


def unfit(task_id: str) -> str:
    """Why a run of the task could not start now; empty when nothing is known against it."""
    facts = definitions.task(task_id)
    if facts.broken:
        return BROKEN
    return "" if facts.known else UNKNOWN


def _make(items: list[TriggerItem]) -> list[Triggered | RunsError]:
    """The run of each, or why there is none; all in one go as long as nothing is wrong."""
    if not items:
        return []
    try:
        with transaction.atomic():
            return [*trigger_many(items, source=Source.SCHEDULE)]
    except RunsError as error:
        if len(items) == 1:
            return [error]
    return [answer for item in items for answer in _make([item])]


def _save_state(rows: list[Schedule]) -> None:
    adapt = connection.ops.adapt_datetimefield_value
    values = [
        (adapt(row.next_at), adapt(row.last_at), adapt(row.held_at), row.last_run_id, row.pk)
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(SAVE, values)


def open_runs(schedule_id: str) -> list[str]:
    """Runs of a schedule that have not ended, the oldest first."""
    runs = Run.objects.filter(schedule_id=schedule_id, finished_at__isnull=True)
    return list(runs.order_by("id").values_list("pk", flat=True)[:LOOKED_AT])


def drop_held(row: Schedule, reason: str) -> None:
    """The fire that waits will not be made."""
    held = ScheduleTick.objects.filter(schedule=row, outcome=TickOutcome.HELD)
    held.update(outcome=TickOutcome.SKIPPED, reason=reason)
    row.held_at = None

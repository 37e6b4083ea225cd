"""How schedules and their fires look."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from django.utils import timezone

from dashboard import presenters
from dashboard.pages import sparks
from dashboard.pages.sparks import Spark
from dashboard.presenters import Look
from runs.cron import Cron, zone
from runs.errors import InvalidOption
from runs.models import Run, Schedule, ScheduleTick, Task, TickOutcome
from runs.reads import agenda
from runs.reads import schedules as reads

ON = Look("On", "tick", "ok", "It fires at its times.")
OFF = Look("Off", "paused", "idle", "It does not fire until it is switched on.")
LEAVING = Look(
    "Deleting", "canceled", "warn", "It is deleted in some seconds unless that is undone."
)
STOPPED = Look("Stopped", "system-failure", "bad", "It cannot tell its next time.")
NO_TASK = Look(
    "No task", "pending-version", "warn", "No cluster has the task; its fires are missed."
)
BROKEN = Look("Broken task", "system-failure", "bad", "The task's file failed to import.")

OUTCOMES: dict[str, Look] = {
    TickOutcome.FIRED: Look("Fired", "tick", "ok", "It made a run."),
    TickOutcome.HELD: Look("Waits", "waiting", "parked", "It waits for an earlier run to end."),
    TickOutcome.SKIPPED: Look("Skipped", "canceled", "idle", "The overlap policy left it out."),
    TickOutcome.MISSED: Look("Missed", "expired", "warn", "Nobody could make it at its time."),
    TickOutcome.BY_HAND: Look("By hand", "user", "ok", "Somebody asked for this run."),
    TickOutcome.REFUSED: Look("Refused", "failed", "bad", "Its run could not be made."),
}


#: Slots of a strip, and how a slot stands for a look.
SLOTS = 30
TONES = {"ok": "ok", "parked": "active", "idle": "idle", "warn": "warn", "bad": "bad"}


@dataclass(frozen=True, slots=True)
class Fire:
    """A fire that was, with the run it made."""

    tick: ScheduleTick
    look: Look
    run: Run | None
    run_look: Look | None


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule in the list."""

    schedule: Schedule
    look: Look
    last: Fire | None
    #: Its last fires, the oldest first.
    strip: Spark


@dataclass(frozen=True, slots=True)
class Coming:
    """A fire to come, on the clocks people may look at."""

    at: datetime
    local: str
    utc: str


def rows(found: list[Schedule]) -> list[Row]:
    """The list's rows, with few reads."""
    ids = {row.pk: getattr(row, "last_tick_id", None) for row in found}
    ticks = reads.ticks_by_id(ids.values())
    made = {fire.tick.pk: fire for fire in fires(list(ticks.values()))}
    tasks = Task.objects.only("id", "active", "broken").in_bulk([row.task_id for row in found])
    recent = agenda.last_ticks(list(ids), SLOTS)
    return [
        Row(
            row,
            look(row, tasks.get(row.task_id)),
            made.get(ids[row.pk] or 0),
            strip(recent[row.pk]),
        )
        for row in found
    ]


def strip(ticks: list[ScheduleTick]) -> Spark:
    """A slot for each fire; missed ones in a row have one together."""
    tones = [TONES[OUTCOMES[tick.outcome].tone] for tick in ticks]
    counts = Counter(dict.fromkeys((look.word for look in OUTCOMES.values()), 0))
    for tick in ticks:
        counts[OUTCOMES[tick.outcome].word] += tick.count
    told = ", ".join(f"{count} {word.lower()}" for word, count in counts.items() if count)
    gaps = [""] * (SLOTS - len(tones))
    return sparks.outcomes(
        [*gaps, *tones], f"Last fires: {told}." if told else "It has not fired yet."
    )


def counted(outcomes: dict[str, int]) -> list[tuple[Look, int]]:
    """Fires by what became of them, in one order."""
    return [(look, outcomes[name]) for name, look in OUTCOMES.items() if outcomes.get(name)]


def fires(ticks: list[ScheduleTick]) -> list[Fire]:
    runs = reads.runs_of(ticks)
    return [_fire(tick, runs.get(tick.run_id or "")) for tick in ticks]


def _fire(tick: ScheduleTick, run: Run | None) -> Fire:
    return Fire(tick, OUTCOMES[tick.outcome], run, presenters.look(run) if run else None)


def look(row: Schedule, task: Task | None) -> Look:
    """Whether it fires, and if not why."""
    if getattr(row, "pending_delete", None):
        return LEAVING
    if not row.active:
        return OFF
    if task is None or not (task.active or task.broken):
        return NO_TASK
    if task.broken:
        return BROKEN
    return ON if row.next_at is not None else STOPPED


def coming(clock: Cron, after: datetime, count: int) -> list[Coming]:
    """The next fires, in the schedule's zone and in UTC."""
    here = zone(clock.timezone)
    return [Coming(at, shown(at, here), shown(at, UTC)) for at in clock.upcoming(after, count)]


def shown(at: datetime, here: tzinfo) -> str:
    """Short: people compare a column of them. The year stands where it is another one."""
    local = at.astimezone(here)
    year = "" if local.year == timezone.now().astimezone(here).year else f" {local:%Y}"
    return f"{local:%a %-d %b}{year}, {local:%H:%M}"


def upcoming(row: Schedule, count: int) -> list[Coming]:
    """The next fires of a schedule; none while it is off or its zone is gone."""
    try:
        return coming(row.clock, timezone.now(), count) if row.active else []
    except InvalidOption:
        return []

"""What people, calls and code do to schedules. Every change is in the audit log."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from runs import cron, payloads, signals, spread
from runs.errors import InvalidOption, InvalidPayload
from runs.ids import new_id
from runs.lifecycle import audit, checks, sheet, ticks, withholding
from runs.models import CatchUp, Overlap, Schedule, ScheduleTick, ScheduleType, Task

LONGEST_KEY = 255
CODE = "code"
#: What decides on the times of its fires.
CLOCK = {"cron", "timezone", "window"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """What a schedule does. An empty `overlap` leaves it to the task."""

    task_id: str
    cron: str
    timezone: str = "UTC"
    external_id: str | None = None
    overlap: str = ""
    catch_up: str = CatchUp.SKIP.value
    #: As `runs.spread` reads it.
    window: str = ""


def create(timetable: Timetable, *, deduplication_key: str | None = None, actor: str) -> Schedule:
    """Make a schedule, or change the one with the same deduplication key (SC-8).

    Raises InvalidOption, naming the option, for an expression that cannot be read or never fires, an
    unknown zone or task, and a task that does not accept a schedule's payload.
    """
    checked = check(timetable)
    checks.text("deduplication_key", deduplication_key, LONGEST_KEY)
    if deduplication_key == "":
        raise InvalidOption("deduplication_key", "deduplication_key must not be empty.")
    try:
        with transaction.atomic():
            return _create(checked, deduplication_key, actor)
    except IntegrityError:
        # a twin was faster and is committed: its schedule is the one to change
        with transaction.atomic():
            return _create(checked, deduplication_key, actor)


def _create(timetable: Timetable, key: str | None, actor: str) -> Schedule:
    locked = Schedule.objects.select_for_update()
    known = None if key is None else locked.filter(deduplication_key=key).first()
    if known is not None:
        return _change(known, timetable, actor)
    row = Schedule(id=new_id("sched"), deduplication_key=key, created_by=actor, **asdict(timetable))
    row.next_at = row.clock.next(timezone.now())
    row.save(force_insert=True)
    audit.record(actor, "schedule.create", row.pk, **asdict(timetable))
    _announce()
    return row


@transaction.atomic
def update(schedule_id: str, timetable: Timetable, *, actor: str) -> Schedule:
    """Change everything of an ad hoc schedule but its key. Raises what `create` raises, and NotFound."""
    return _change(withholding.locked(schedule_id), check(timetable), actor)


def _change(row: Schedule, timetable: Timetable, actor: str) -> Schedule:
    """Write what differs; the next fire stays where its time is the same.

    Whoever changes a schedule that is to be deleted wants to keep it.
    """
    if not row.is_declared:
        withholding.take_back(row, actor)
    wanted = asdict(timetable)
    changed = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    stopped = row.active and row.next_at is None
    if not (changed or stopped):
        return row
    old = {name: getattr(row, name) for name in changed}
    if row.active and changed.keys() & CLOCK:
        ticks.miss(row, timezone.now(), "The schedule was changed before they were made.")
    for name, value in changed.items():
        setattr(row, name, value)
    if stopped or (row.active and changed.keys() & CLOCK):
        row.next_at = _next(row)
    row.save()
    audit.record(actor, "schedule.update", row.pk, old=old, new=changed)
    _announce()
    return row


@transaction.atomic
def activate(schedule_id: str, *, actor: str, reason: str = "") -> Schedule:
    """Switch a schedule on; it fires from now on (SC-17)."""
    checks.text("reason", reason)
    row = withholding.locked(schedule_id)
    if not row.active:
        row.active = True
        row.paused_at, row.paused_by, row.paused_reason = None, "", ""
        row.next_at = _next(row)
        row.save()
        audit.record(actor, "schedule.activate", row.pk, reason=reason)
        _announce()
    return row


@transaction.atomic
def deactivate(schedule_id: str, *, actor: str, reason: str = "") -> Schedule:
    """Switch a schedule off. Runs it has made stay; a fire that waits for one of them is dropped."""
    checks.text("reason", reason)
    row = withholding.locked(schedule_id)
    if row.active:
        said = "The schedule was switched off."
        ticks.miss(row, timezone.now(), said)
        if row.held_at is not None:
            sheet.drop_held(row, said)
        row.active, row.next_at = False, None
        row.paused_at, row.paused_by, row.paused_reason = timezone.now(), actor, reason
        row.save()
        audit.record(actor, "schedule.deactivate", row.pk, reason=reason)
    return row


@transaction.atomic
def delete(schedule_id: str, *, actor: str, reason: str = "") -> None:
    """Remove a schedule with the account of its fires; the runs it made stay."""
    checks.text("reason", reason)
    withholding.remove(withholding.locked(schedule_id), actor, reason)


def declare(wanted: Mapping[str, Timetable], gone: Collection[str]) -> None:
    """Bring declared schedules in line with the code: `wanted` by task, none for the tasks in `gone`.

    Part of a registration's transaction; writes nothing when nothing changed.
    """
    known = {row.task_id: row for row in Schedule.objects.declared()}
    for task_id in sorted(known.keys() & set(gone) - wanted.keys()):
        _undeclare(task_id)
    missing = sorted(wanted.keys() - known.keys())
    if missing:
        _declare_new([wanted[task_id] for task_id in missing])
    for task_id in sorted(wanted.keys() & known.keys()):
        row = known[task_id]
        if timetable_of(row) != wanted[task_id] or row.next_at is None:
            _redeclare(wanted[task_id])


def timetable_of(row: Schedule) -> Timetable:
    return Timetable(
        task_id=row.task_id,
        cron=row.cron,
        timezone=row.timezone,
        external_id=row.external_id,
        overlap=row.overlap,
        catch_up=row.catch_up,
        window=row.window,
    )


def _declared(task_id: str) -> Schedule | None:
    return Schedule.objects.declared().select_for_update().filter(task_id=task_id).first()


def _undeclare(task_id: str) -> None:
    if (row := _declared(task_id)) is not None:
        withholding.remove(row, CODE, "The code no longer declares it.")


def _redeclare(timetable: Timetable) -> None:
    if (row := _declared(timetable.task_id)) is not None:
        _change(row, timetable, CODE)


def _declare_new(timetables: list[Timetable]) -> None:
    """Insert what no other cluster has inserted meanwhile."""
    rows = [
        Schedule(
            id=new_id("sched"), type=ScheduleType.DECLARATIVE, created_by=CODE, **asdict(timetable)
        )
        for timetable in timetables
    ]
    for row in rows:
        row.next_at = row.clock.next(timezone.now())
    Schedule.objects.bulk_create(rows, ignore_conflicts=True)
    made = set(
        Schedule.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True)
    )
    for row, timetable in zip(rows, timetables, strict=True):
        if row.pk in made:
            audit.record(CODE, "schedule.create", row.pk, **asdict(timetable))
    _announce()


def check(timetable: Timetable) -> Timetable:
    """The timetable with its expression tidied. Raises InvalidOption for what makes no schedule."""
    clock = cron.parse(timetable.cron, timetable.timezone)
    checks.text("external_id", timetable.external_id, LONGEST_KEY)
    _one_of("overlap", timetable.overlap, ["", *Overlap.values])
    _one_of("catch_up", timetable.catch_up, CatchUp.values)
    spread.window(timetable.window)
    _check_task(timetable)
    facts: dict[str, Any] = asdict(timetable) | {"cron": clock.expression}
    return Timetable(**facts)


def _one_of(name: str, value: str, allowed: list[str]) -> None:
    if value not in allowed:
        words = ", ".join(word for word in allowed if word)
        raise InvalidOption(name, f"{name} is one of {words}; got {value[:60]!r}.")


def _check_task(timetable: Timetable) -> None:
    """The task is there and takes what a schedule gives it."""
    task_id = timetable.task_id
    checks.text("task", task_id)
    task = Task.objects.filter(pk=task_id[:256]).first()
    if task is None or not (task.active or task.broken):
        raise InvalidOption("task", f"No cluster has registered a task “{task_id[:256]}”.")
    if json.loads(task.config).get("computed_key"):
        raise InvalidOption(
            "task",
            f"Task “{task_id}” computes its concurrency key by a function, which a schedule cannot "
            "call. Give it the key's place in the payload instead, as $.externalId.",
        )
    try:
        payloads.check(task.schema, sample(timetable)) if task.schema else None
    except InvalidPayload as error:
        raise InvalidOption(
            "task",
            f"Task “{task_id}” does not take a schedule's payload ({error}). "
            "Annotate its payload with ScheduledPayload, or leave it without a schema.",
        ) from error


def sample(timetable: Timetable) -> str:
    """A payload as the schedule's runs will get it."""
    row = Schedule(id="sched_1234", **asdict(timetable))
    return ticks.payload(row, cron.EPOCH, row.clock.plain)


def _next(row: Schedule) -> datetime | None:
    """The first fire from now on that is not on record: the clock may have been set back."""
    last = ScheduleTick.objects.filter(schedule=row).order_by("-at").first()
    now = timezone.now()
    return row.clock.next(now if last is None else max(now, last.until))


def _announce() -> None:
    """A dispatcher that sleeps until the fire it knows of looks again."""
    transaction.on_commit(lambda: signals.runs_ready.send(sender=Schedule))

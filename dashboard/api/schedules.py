"""Schedules: create, list, retrieve, update, activate, deactivate, delete; and the time zones."""

import re
from dataclasses import replace
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from dashboard.api import (
    access,
    answers,
    bodies,
    deployment,
    objects,
    offsets,
    queries,
    shapes,
    telling,
)
from dashboard.api.endpoint import ApiRequest, endpoint, methods
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body, Text
from runs import cron, spread
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import schedules
from runs.lifecycle.schedules import Timetable
from runs.models import Role, Schedule

NO_WINDOW = {None, "", "0m", "0h", "0%"}
#: The windows that the reference's client reads; others fail it, and with one schedule the list.
WINDOW = re.compile(r"(?:0|[1-9][0-9]*)[mh%]")
#: All that say UTC.
UTC = {f"{area}{name}" for area in ("", "Etc/") for name in ("UTC", "UCT", "Universal", "Zulu")}


class Timed(Body):
    """What a schedule does. Who leaves out `overlap` or `catchUp` leaves them as they are."""

    task: Text
    cron: Text
    timezone: Text | None = None
    external_id: Text | None = None
    window: Text | None = None
    overlap: Text | None = None
    catch_up: Text | None = None


class NewSchedule(Timed):
    """A schedule, or the changes to the one with this key."""

    deduplication_key: Text


class Switch(Body):
    """Why."""

    reason: Text = ""


class Generator(TypedDict):
    """What makes it fire, also in words."""

    type: Literal["CRON"]
    expression: str
    description: str


class ScheduleEnvironment(TypedDict):
    """Where it fires."""

    id: str
    type: Literal["DEVELOPMENT", "STAGING", "PRODUCTION"]


class ScheduleObject(TypedDict):
    """A schedule. `nextRun` is the time its expression names, `nextRunEffectiveAt` that of the run."""

    id: str
    type: Literal["DECLARATIVE", "IMPERATIVE"]
    task: str
    active: bool
    deduplicationKey: NotRequired[str]
    externalId: NotRequired[str]
    generator: Generator
    timezone: str
    window: NotRequired[str]
    nextRun: NotRequired[str]
    nextRunEffectiveAt: NotRequired[str]
    overlap: NotRequired[str]
    catchUp: str
    #: Why it is off.
    pausedReason: NotRequired[str]
    environments: list[ScheduleEnvironment]


class SchedulePage(TypedDict):
    """A page of schedules, newest first."""

    data: list[ScheduleObject]
    pagination: telling.Pages


class Zones(TypedDict):
    """Names of time zones."""

    timezones: list[str]


class ZoneQuery(TypedDict):
    """Whether to leave out UTC."""

    excludeUtc: NotRequired[Annotated[str, Field(pattern="^(true|false)$")]]


REFUSED = {404: "No schedule has this id.", 422: "The schedule is declared in code."}
WRONG = "The expression, zone, task or window makes no schedule, or it is declared in code."


@endpoint("POST", role=Role.ADMIN, body=NewSchedule, answers={200: ScheduleObject, 422: WRONG})
def create(request: ApiRequest) -> dict[str, Any]:
    """Make a schedule, or change the one with the same `deduplicationKey`."""
    asked = NewSchedule.read(bodies.values(request, required=True))
    key = asked.deduplication_key
    known = Schedule.objects.filter(deduplication_key=key).first()
    try:
        timetable = _timetable(asked, known)
        return _told(schedules.create(timetable, deduplication_key=key, actor=request.actor))
    except InvalidOption as error:
        raise _unprocessable(error) from error


@endpoint("GET", query=shapes.Numbered, answers=SchedulePage, tasks=access.by_handler)
def index(request: ApiRequest) -> dict[str, Any]:
    """A page of schedules, newest first."""
    asked = offsets.page(queries.values(request.GET, offsets.PARAMETERS))
    found = Schedule.objects.order_by("-pk")
    if request.caller.tasks:
        found = found.filter(task_id__in=request.caller.tasks)
    return offsets.paged(found, asked, _told)


@endpoint("GET", answers={200: ScheduleObject, 404: REFUSED[404]}, tasks=access.by_handler)
def retrieve(request: ApiRequest, schedule_id: str) -> dict[str, Any]:
    """One schedule."""
    schedule = _found(schedule_id)
    request.caller.require_tasks(schedule.task_id)
    return _told(schedule)


@endpoint(
    "PUT", role=Role.ADMIN, body=Timed, answers={200: ScheduleObject, 404: REFUSED[404], 422: WRONG}
)
def update(request: ApiRequest, schedule_id: str) -> dict[str, Any]:
    """Change everything of a schedule but its key; what is left out is UTC or nothing."""
    asked = Timed.read(bodies.values(request, required=True))
    known = _found(schedule_id)
    try:
        timetable = _timetable(asked, known)
        return _told(schedules.update(known.pk, timetable, actor=request.actor))
    except InvalidOption as error:
        raise _unprocessable(error) from error


@endpoint("DELETE", role=Role.ADMIN, answers={200: answers.Id, **REFUSED})
def delete(request: ApiRequest, schedule_id: str) -> dict[str, Any]:
    """Remove a schedule; the runs it made stay."""
    known = _found(schedule_id)
    try:
        schedules.delete(known.pk, actor=request.actor)
    except InvalidOption as error:
        raise _unprocessable(error) from error
    return {"id": known.pk}


@endpoint("POST", role=Role.ADMIN, body=Switch | None, answers={200: ScheduleObject, **REFUSED})
def activate(request: ApiRequest, schedule_id: str) -> dict[str, Any]:
    """Let it fire from now on."""
    return _switched(schedules.activate, request, schedule_id)


@endpoint("POST", role=Role.ADMIN, body=Switch | None, answers={200: ScheduleObject, **REFUSED})
def deactivate(request: ApiRequest, schedule_id: str) -> dict[str, Any]:
    """Let it fire no more; the runs it made stay."""
    return _switched(schedules.deactivate, request, schedule_id)


@endpoint("GET", keyed=False, query=ZoneQuery, answers=Zones)
def timezones(request: ApiRequest) -> dict[str, Any]:
    """The names of all time zones; needs no key."""
    asked = queries.values(request.GET, {"excludeUtc"}).get("excludeUtc", "false")
    if asked not in {"true", "false"}:
        raise ApiError(400, "Query Error: excludeUtc must be true or false.")
    return {"timezones": sorted(cron.zone_names() - (UTC if asked == "true" else set()))}


collection = methods(GET=index, POST=create)
one = methods(GET=retrieve, PUT=update, DELETE=delete)


def _timetable(asked: Timed, known: Schedule | None) -> Timetable:
    """What was asked for; what only Trackside has stays as it is."""
    kept = Timetable(task_id="", cron="") if known is None else schedules.timetable_of(known)
    return replace(
        kept,
        task_id=asked.task,
        cron=asked.cron,
        timezone=asked.timezone or "UTC",
        external_id=asked.external_id,
        window="" if asked.window in NO_WINDOW else str(asked.window),
        overlap=kept.overlap if asked.overlap is None else asked.overlap,
        catch_up=kept.catch_up if asked.catch_up is None else asked.catch_up,
    )


def _found(schedule_id: str) -> Schedule:
    found = None
    if "\x00" not in schedule_id:
        found = Schedule.objects.filter(pk=schedule_id).first()
    if found is None:
        raise NotFound(f"There is no schedule {schedule_id[:60]!r}.")
    return found


def _switched(verb: Any, request: ApiRequest, schedule_id: str) -> dict[str, Any]:
    """The reference's client sends no body."""
    asked = Switch.read(bodies.values(request))
    known = _found(schedule_id)
    try:
        return _told(verb(known.pk, actor=request.actor, reason=asked.reason))
    except InvalidOption as error:
        raise _unprocessable(error) from error


def _unprocessable(error: InvalidOption) -> ApiError:
    """What makes no schedule is a 422, as the reference answers."""
    return ApiError(422, str(error))


def _told(row: Schedule) -> dict[str, Any]:
    return {
        "id": row.pk,
        "type": str(row.type),
        "task": row.task_id,
        "active": row.active,
        "generator": {"type": "CRON", "expression": row.cron, "description": row.sentence},
        "timezone": row.timezone,
        "catchUp": row.catch_up,
        "environments": [deployment.environment()],
        **objects.present(
            deduplicationKey=row.deduplication_key,
            externalId=row.external_id,
            window=_window(row.window),
            overlap=row.overlap or None,
            pausedReason=row.paused_reason or None,
            nextRun=objects.time(_nominal(row)),
            nextRunEffectiveAt=objects.time(row.next_at),
        ),
    }


def _window(text: str) -> str | None:
    """The window, or the nearest one that clients read."""
    found = spread.window(text)
    if found is None or WINDOW.fullmatch(text):
        return text or None
    if found.share:
        return f"{max(round(found.share * 100), 1)}%"
    return f"{max(round(found.seconds / 60), 1)}m"


def _nominal(row: Schedule) -> Any:
    """The time the expression names for the next fire; that itself once its time zone is gone."""
    try:
        return None if row.next_at is None else row.clock.nominal(row.next_at)
    except InvalidOption:
        return row.next_at

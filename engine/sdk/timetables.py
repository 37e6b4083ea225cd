"""`schedule(...)`: when a task runs by itself, and what its body is given then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from engine.sdk.schemas import PayloadSchema, schema_of
from engine.sdk.unknown import only_known, refuse_unknown
from runs import cron as crons
from runs import spread as spreads
from runs.errors import InvalidOption, InvalidPayload

Overlap = Literal["allow", "skip", "queue_one", "cancel_previous"]
CatchUp = Literal["skip", "latest", "all"]
OVERLAPS = ("allow", "skip", "queue_one", "cancel_previous")
CATCH_UPS = ("skip", "latest", "all")
NAMES = ("cron", "pattern", "timezone", "overlap", "catch_up", "window", "environments")
#: The kinds of environments, also as the reference calls them.
KINDS = {
    "dev": "dev",
    "development": "dev",
    "staging": "staging",
    "prod": "prod",
    "production": "prod",
}
MOMENT = datetime(2030, 1, 1, 5, tzinfo=UTC)


class ScheduledPayload(BaseModel):
    """What the body of a scheduled task is given.

    `timestamp` is the time it was scheduled for, `last_timestamp` that of the run before, all in UTC;
    `upcoming` are the next five. `external_id` is what the schedule was created with.

    Example:
        @schedules.task(id="daily-report", cron="0 5 * * *")
        def daily_report(payload: ScheduledPayload):
            send_report(day=payload.timestamp.date(), customer=payload.external_id)
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    type: Literal["DECLARATIVE", "IMPERATIVE"] = "IMPERATIVE"
    timestamp: datetime
    last_timestamp: datetime | None = None
    timezone: str = "UTC"
    schedule_id: str = "sched_1234"
    external_id: str | None = None
    upcoming: list[datetime] = []

    @property
    def local_timestamp(self) -> datetime:
        """`timestamp` in the schedule's time zone."""
        return self.timestamp.astimezone(crons.zone(self.timezone))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSchedule:
    """A schedule in code. Without `cron` its task only has schedules that are made at run time.

    `environments` empty means all of them; an empty `overlap` leaves it to the task.
    """

    cron: str = ""
    timezone: str = "UTC"
    overlap: str = ""
    catch_up: str = "skip"
    window: str = ""
    environments: tuple[str, ...] = ()

    def holds_in(self, kind: str) -> bool:
        """Whether it fires in an environment of this kind."""
        return bool(self.cron) and (not self.environments or kind in self.environments)


@only_known
def schedule(
    cron: str,
    *,
    timezone: str = "UTC",
    overlap: Overlap | None = None,
    catch_up: CatchUp = "skip",
    window: str | None = None,
    environments: Iterable[str] = (),
) -> DeclaredSchedule:
    """Run a task by the clock: five fields as in crontab, in a time zone.

    `overlap` is what happens while a run of an earlier fire is open, `catch_up` what happens to fires
    that were missed because nothing was running. With a `window`, "30m" or "50%", it fires at a place
    of its own within so long after each time. `environments` limits it to "dev", "staging" or "prod".

    Example:
        @task(schedule=schedule("0 5 * * MON-FRI", timezone="Europe/Zurich", overlap="skip"))
        def report(payload: ScheduledPayload): ...
    """
    checked = crons.parse(_text("cron", cron), _text("timezone", timezone))
    return DeclaredSchedule(
        cron=checked.expression,
        timezone=timezone,
        overlap="" if overlap is None else as_overlap(overlap),
        catch_up=one_of("catch_up", catch_up, CATCH_UPS),
        window=as_window(window),
        environments=_environments(environments),
    )


def as_schedule(value: object) -> DeclaredSchedule | None:
    """The schedule of a task's `schedule=`: the object, an expression, or a dict with the same names."""
    if value is None or isinstance(value, DeclaredSchedule):
        return value
    if isinstance(value, str):
        return schedule(value)
    if not isinstance(value, Mapping):
        raise InvalidOption("schedule", f"schedule is schedule(...) or text; got {value!r:.60}.")
    refuse_unknown(value, NAMES, "schedule", "schedule")
    options = dict(value)
    if ("cron" in options) == ("pattern" in options):
        raise InvalidOption("schedule", "schedule needs “cron” (or “pattern”, its other name).")
    return schedule(options.pop("cron", None) or options.pop("pattern", None), **options)


def payload_schema(
    stated: Any, annotation: Any, timetable: DeclaredSchedule | None
) -> PayloadSchema:
    """The schema of a task; a scheduled one that says nothing gets a `ScheduledPayload`."""
    if timetable is None:
        return schema_of(stated, annotation)
    if stated is None and annotation is None:
        return schema_of(ScheduledPayload, None)
    schema = schema_of(stated, annotation)
    try:
        schema.parse(ScheduledPayload(timestamp=MOMENT).model_dump_json(by_alias=True))
    except InvalidPayload as error:
        raise InvalidOption(
            "schedule",
            f"The payload's type does not take what a schedule gives ({error}). "
            "Annotate it with ScheduledPayload, or leave the annotation out.",
        ) from error
    return schema


def as_window(value: object) -> str:
    """A window as it is stored; None is none."""
    text = "" if value is None else _text("window", value)
    spreads.window(text)
    return text.strip()


def as_overlap(value: object) -> str:
    return one_of("overlap", value, OVERLAPS)


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in allowed:
        return value
    raise InvalidOption(name, f"{name} is one of {', '.join(allowed)}; got {value!r:.60}.")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidOption(name, f"{name} must be text; got {value!r:.60}.")
    return value


def _environments(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, Iterable):
        kinds = [KINDS.get(str(name).lower(), "") for name in names]
        if all(kinds):
            return tuple(dict.fromkeys(kinds))
    raise InvalidOption(
        "environments", f"environments are of dev, staging, prod; got {value!r:.60}."
    )

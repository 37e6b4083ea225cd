"""`schedules`: scheduled tasks, and schedules that are made at run time."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from engine.runtime import installed
from engine.schedulebook import Schedule, ScheduleOptions, SchedulePage
from engine.sdk.bodies import checked_id
from engine.sdk.context import asking
from engine.sdk.options import text, whole_number
from engine.sdk.tasks import Decorator, Task, naming, task
from engine.sdk.timetables import (
    CATCH_UPS,
    CatchUp,
    DeclaredSchedule,
    Overlap,
    as_overlap,
    as_window,
    one_of,
)
from runs import cron as crons
from runs.errors import InvalidOption

AnyTask = Task[Any, Any]
MOST = 100


class Keep:
    """Marks what an update leaves as it is."""

    def __repr__(self) -> str:
        return "unchanged"


KEEP = Keep()


class Schedules:
    """Runs tasks by the clock, as many schedules for one task as there are customers.

    Example:
        schedules.create(
            task=reminder, cron="0 8 * * *", timezone="America/New_York",
            external_id=user.id, deduplication_key=f"{user.id}-reminder",
        )
    """

    def task(
        self,
        *,
        cron: DeclaredSchedule | Mapping[str, Any] | str | None = None,
        **options: Any,
    ) -> Decorator:
        """`@task` for scheduled tasks; without `cron` its schedules are made at run time.

        The body gets a `ScheduledPayload`. `options` are those of `@task`.

        Example:
            @schedules.task(id="cleanup", cron={"pattern": "0 5 * * *", "timezone": "Asia/Tokyo"})
            def cleanup(payload): ...
        """
        return task(schedule=DeclaredSchedule() if cron is None else cron, **options)

    def create(
        self,
        *,
        task: AnyTask | str,
        cron: str,
        deduplication_key: str,
        timezone: str = "UTC",
        external_id: str | None = None,
        overlap: Overlap | None = None,
        catch_up: CatchUp = "skip",
        window: str | None = None,
    ) -> Schedule:
        """Make a schedule; a second call with the same deduplication key changes the first one's.

        The task must be registered and take a schedule's payload. Raises InvalidOption otherwise, and
        for an expression that cannot be read or never fires.
        """
        with naming(_task_id(task)):
            key = text("deduplication_key", deduplication_key)
            options = _checked(
                task=task,
                cron=cron,
                timezone=timezone,
                external_id=external_id,
                overlap=overlap,
                catch_up=catch_up,
                window=window,
            )
            return installed().schedules.create(key, options, asking())

    def retrieve(self, schedule_id: str) -> Schedule:
        """The schedule of that id. Raises NotFound."""
        return installed().schedules.retrieve(text("schedule_id", schedule_id))

    def list(self, *, page: int = 1, per_page: int = 25) -> SchedulePage:
        """Some of all schedules, those in code too, newest first."""
        number = whole_number("page", page, 1)
        size = min(whole_number("per_page", per_page, 1), MOST)
        return installed().schedules.page(number, size)

    def update(
        self,
        schedule_id: str,
        *,
        task: AnyTask | str | Keep = KEEP,
        cron: str | Keep = KEEP,
        timezone: str | Keep = KEEP,
        external_id: str | Keep | None = KEEP,
        overlap: Overlap | Keep | None = KEEP,
        catch_up: CatchUp | Keep = KEEP,
        window: str | Keep | None = KEEP,
    ) -> Schedule:
        """Change what is given, leave the rest. Schedules in code are refused."""
        given = {
            "task": task,
            "cron": cron,
            "timezone": timezone,
            "external_id": external_id,
            "overlap": overlap,
            "catch_up": catch_up,
            "window": window,
        }
        changes = {name: value for name, value in given.items() if not isinstance(value, Keep)}
        wanted = _checked(**changes)
        return installed().schedules.update(text("schedule_id", schedule_id), wanted, asking())

    def activate(self, schedule_id: str) -> Schedule:
        """Let it fire from now on."""
        return installed().schedules.activate(text("schedule_id", schedule_id), asking())

    def deactivate(self, schedule_id: str) -> Schedule:
        """Let it fire no more; runs it has made stay."""
        return installed().schedules.deactivate(text("schedule_id", schedule_id), asking())

    def delete(self, schedule_id: str) -> None:
        """Remove it; runs it has made stay."""
        installed().schedules.delete(text("schedule_id", schedule_id), asking())

    def timezones(self, *, exclude_utc: bool = False) -> tuple[str, ...]:
        """The names a schedule's time zone may have."""
        return tuple(sorted(crons.zone_names() - ({"UTC"} if exclude_utc else set())))


def _checked(**given: Any) -> ScheduleOptions:
    return cast("ScheduleOptions", {name: CHECKS[name](value) for name, value in given.items()})


def _task_id(value: object) -> str:
    return value.id if isinstance(value, Task) else checked_id(value)


def _external_id(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise InvalidOption("external_id", f"external_id is text that is not empty; got {value!r:.60}.")


CHECKS: dict[str, Callable[[Any], str | None]] = {
    "task": _task_id,
    "cron": lambda value: text("cron", value),
    "timezone": lambda value: text("timezone", value),
    "external_id": _external_id,
    "overlap": lambda value: "" if value is None else as_overlap(value),
    "catch_up": lambda value: one_of("catch_up", value, CATCH_UPS),
    "window": as_window,
}


schedules = Schedules()

"""Schedules as the SDK sees them: a part of the port in `engine.runtime`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypedDict


class ScheduleOptions(TypedDict, total=False):
    """Checked facts of one schedule; a name left out keeps its value, or gets its default."""

    task: str
    cron: str
    timezone: str
    external_id: str | None
    overlap: str
    catch_up: str
    window: str


@dataclass(frozen=True, slots=True)
class Generator:
    """What makes a schedule fire: an expression, and what it says in words."""

    expression: str
    description: str
    type: str = "CRON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A stored schedule. `next_run` is None while it is not active; an empty `overlap` is the task's.

    With a `window` it fires at `next_run_effective_at`, at or after `next_run`.
    """

    id: str
    type: str
    task: str
    active: bool
    generator: Generator
    timezone: str
    deduplication_key: str | None
    external_id: str | None
    overlap: str
    catch_up: str
    window: str = ""
    next_run: datetime | None
    next_run_effective_at: datetime | None = None
    last_run: datetime | None


@dataclass(frozen=True, slots=True)
class SchedulePage:
    """Some schedules, newest first, and how many there are."""

    data: tuple[Schedule, ...]
    current_page: int
    total_pages: int
    count: int

    def __iter__(self) -> Iterator[Schedule]:
        return iter(self.data)


class ScheduleBook(Protocol):
    """Schedules that are made at run time. `actor` is who asks, for the audit log."""

    def create(self, key: str, options: ScheduleOptions, actor: str) -> Schedule:
        """Make one, or change the one with this deduplication key."""

    def retrieve(self, schedule_id: str) -> Schedule:
        """The schedule of that id."""

    def page(self, number: int, size: int) -> SchedulePage:
        """One page of all schedules, counted from 1."""

    def update(self, schedule_id: str, options: ScheduleOptions, actor: str) -> Schedule:
        """Change what `options` names."""

    def activate(self, schedule_id: str, actor: str) -> Schedule:
        """Let it fire from now on."""

    def deactivate(self, schedule_id: str, actor: str) -> Schedule:
        """Let it fire no more."""

    def delete(self, schedule_id: str, actor: str) -> None:
        """Remove it."""

"""What a test sees of a run."""

import json
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from engine.execution.waiting import wait_for
from engine.sdk.hookkinds import Wait
from engine.sdk.results import RunError, error_of, output_type, restored
from engine.testing.problems import TracksideError
from runs import payloads
from runs.models import Journal, Ready, Run, Waiter
from runs.reads import attempts
from runs.states import EntryKind, EntryStatus, RunStatus

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt. `retry_delay` is what followed it, in seconds; None where nothing did."""

    number: int
    status: str
    error: RunError | None = None
    retry_delay: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One `step(...)` that was executed and recorded."""

    name: str
    ok: bool
    output: Any = None
    #: As in "ValueError: no".
    error: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Waited:
    """One time the run left its worker: for a "duration", a "token", a "task" or a "batch"."""

    type: str
    #: How long at most, if there is an end to it.
    seconds: float | None = None
    until: datetime | None = None
    #: The runs and tokens it waited for.
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log line; `str()` of it is the message."""

    level: int
    logger: str
    message: str
    attempt: int

    def __str__(self) -> str:
        return self.message


@dataclass(slots=True)
class Book:
    """What the database does not keep, or not as exactly, by run."""

    lines: dict[str, list[LogLine]] = field(default_factory=lambda: defaultdict(list))
    waits: dict[str, list[Waited]] = field(default_factory=lambda: defaultdict(list))
    delays: dict[tuple[str, int], float] = field(default_factory=dict)


class RecordedRun(Generic[R]):
    """A run as it stands now: every look at it reads the database.

    Example:
        run = trackside.run(charge, Order(id=7))
        assert (run.status, run.output) == ("COMPLETED", "paid")
    """

    def __init__(self, run_id: str, book: Book) -> None:
        self.id = run_id
        self._book = book

    @property
    def row(self) -> Run:
        """The stored run, with everything there is to know."""
        return Run.objects.get(pk=self.id)

    @property
    def task_id(self) -> str:
        return str(self.row.task_id)

    @property
    def status(self) -> str:
        """COMPLETED, FAILED, WAITING, QUEUED, DELAYED, ..."""
        return str(self.row.status)

    @property
    def ok(self) -> bool:
        """Whether it completed."""
        return self.status == RunStatus.COMPLETED

    @property
    def is_final(self) -> bool:
        """Whether it has ended, however it did."""
        return self.row.is_final

    @property
    def payload(self) -> Any:
        """As it was given, as plain JSON."""
        text = self.row.payload
        return None if text is None else payloads.loads(text)

    @property
    def output(self) -> R:
        """What the body returned, in the type its annotation names; None until then."""
        row = self.row
        found: R = restored(row.output, output_type(row.task_id))
        return found

    @property
    def error(self) -> RunError | None:
        """Why it did not complete; None while it may."""
        row = self.row
        if not row.is_final or row.status == RunStatus.COMPLETED:
            return None
        return error_of(row.status, row.error, row.reason)

    def unwrap(self) -> R:
        """The output. Raises TracksideError with the whole traceback if it did not complete."""
        if not self.ok:
            raise TracksideError(f"{self!r} did not complete.\n{trace(self.error)}".rstrip())
        return self.output

    @property
    def attempts(self) -> list[Try]:
        """Its attempts, each with its error and the delay that followed."""
        return [
            Try(
                one.number,
                str(one.status),
                error_of(str(one.status), one.error) if one.error else None,
                self._book.delays.get((self.id, one.number)),
            )
            for one in attempts.of(self.row)
        ]

    @property
    def steps(self) -> list[Step]:
        """The steps that were executed, in order; those that only answered again are not in it."""
        rows = Journal.objects.filter(run_id=self.id, kind=EntryKind.STEP)
        return [step_of(row) for row in rows.order_by("attempt", "position")]

    def step(self, name: str) -> Step:
        """The last step of that name. Raises TracksideError naming those there are."""
        steps = self.steps
        found = [one for one in steps if one.name == name]
        if not found:
            known = ", ".join(one.name for one in steps) or "none"
            raise TracksideError(f"{self!r} has no step “{name}”. Its steps: {known}.")
        return found[-1]

    @property
    def waits(self) -> list[Waited]:
        """The times it left its worker to wait, in order."""
        return list(self._book.waits[self.id])

    @property
    def waiting_for(self) -> Wait | None:
        """What it waits for now: `.type`, `.date`, `.token_id`, `.run_id`; None if it does not."""
        if self.status != RunStatus.WAITING:
            return None
        targets = Waiter.objects.filter(run_id=self.id).values_list("target", flat=True)
        due = Ready.objects.filter(pk=self.id).values_list("not_before", flat=True).first()
        return wait_for(sorted(targets), due if due is None or due.year < FOR_EVER else None)

    @property
    def children(self) -> "list[RecordedRun[Any]]":
        """The runs it triggered, in order, waited for or not."""
        found = Run.objects.filter(parent_id=self.id).order_by("id").values_list("pk", flat=True)
        return [RecordedRun(run_id, self._book) for run_id in found]

    @property
    def logs(self) -> list[LogLine]:
        """Its log lines: prints, Python logging and `logger`."""
        return list(self._book.lines[self.id])

    @property
    def messages(self) -> list[str]:
        """The texts of its log lines."""
        return [line.message for line in self.logs]

    @property
    def metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.row.metadata or "{}")
        return found

    @property
    def tags(self) -> list[str]:
        return self.row.tag_list

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedRun) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        row = self.row
        why = f" {error}" if (error := self.error) else f" {row.reason}" if row.reason else ""
        status = "" if why.startswith(f" {row.status}") else f" {row.status}"
        return f"<run of {row.task_id}, attempt {row.attempts_begun}:{status}{why}>"

    def report(self) -> str:
        """Everything worth reading when a test fails."""
        lines = [
            f"  {logging.getLevelName(line.level):<8}{line.message}" for line in self.logs[-50:]
        ]
        return "\n".join([repr(self), *lines, *filter(None, [trace(self.error)])])


#: The year of what has no due time.
FOR_EVER = 9000


def trace(error: RunError | None) -> str:
    return "" if error is None else error.stack_trace or str(error)


def step_of(row: Journal) -> Step:
    told = json.loads(row.error or "{}")
    return Step(
        name=row.name,
        ok=row.status == EntryStatus.DONE,
        output=None if row.result is None else payloads.loads(row.result),
        error=f"{told.get('name')}: {told.get('message')}" if told else "",
        attempt=row.attempt,
    )

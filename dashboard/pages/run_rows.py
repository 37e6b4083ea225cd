"""A run as a line of a list."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, TypedDict

from django.urls import reverse
from django.utils.safestring import SafeString

from dashboard import presenters
from dashboard.pages import columns, key_facts, live, run_cells, tracebacks
from dashboard.pages.columns import Column
from dashboard.pages.key_facts import Fact
from runs.models import Run
from runs.reads.children import by_parent
from runs.reads.usual import usual

#: A line has room for so many tags.
TAGS = 3
#: What a line is made of; the rest of a run's many columns stays in the table.
COLUMNS = (
    "id", "task_id", "queue", "status", "reason", "error", "tags", "is_test", "max_attempts",
    "attempt_number", "uncounted_attempts", "waited_attempt", "created_at", "queued_at", "started_at",
    "finished_at", "cancel_requested_at", "updated_at", "version",
)  # fmt: skip


class _Shared(NamedTuple):
    """What the rows of a list have in common."""

    start: str
    queues: dict[str, str]
    usual: dict[str, float]
    children: dict[str, Counter[str]]
    facts: dict[str, list[Fact]]


class RunRow(TypedDict):
    """What a line shows, decided once so that the template only writes it down.

    A dictionary: templates try a key first, and a failed try costs more than the rest of a cell.
    """

    id: str
    short: str
    task: str
    queue: str
    look: presenters.Look
    created_at: datetime
    is_test: bool
    address: str
    queue_address: str
    token: str
    wait: timedelta | None
    took: timedelta | None
    #: Since when the two grow; None once they stand.
    waits_since: datetime | None
    runs_since: datetime | None
    trouble: str
    can_cancel: bool
    is_pending: bool
    tries: int
    max_tries: int
    tags: list[str]
    more_tags: int
    version: str
    #: What 95 of 100 runs of its task take at most, in seconds; 0 is unknown.
    usual: float
    children: Counter[str]
    facts: list[Fact]
    list_address: str
    #: Between the box and the buttons, as markup.
    cells: str


def rows(
    runs: Iterable[Run], now: datetime, shown: tuple[Column, ...] = columns.STANDARD
) -> list[RunRow]:
    """A row per run; what they share is looked up once, and only for a list that shows columns."""
    found = list(runs)
    start = reverse("dashboard:runs")
    queues = {name: reverse("dashboard:queue", args=[name]) for name in {r.queue for r in found}}
    shared = _Shared(
        start,
        queues,
        usual({run.task_id for run in found}, now) if shown else {},
        _children(found) if shown else {},
        key_facts.of(found) if shown else {},
    )
    made = [_row(run, now, shared) for run in found]
    for run, row in zip(found, made, strict=True):
        row["cells"] = run_cells.cells(row, shown, columns.values(run, shown))
    return made


def drawn(made: Iterable[RunRow], *, may_act: bool, oob: bool = False) -> SafeString:
    """The rows of the table; `oob` are some of them that take their own places."""
    return SafeString("".join(run_cells.line(row, may_act=may_act, oob=oob) for row in made))


def _children(runs: list[Run]) -> dict[str, Counter[str]]:
    """Of those that may have any."""
    return by_parent(run.id for run in runs if getattr(run, "has_children", True))


def token(run: Run) -> str:
    """Changes with whatever a line shows."""
    return live.token(run.updated_at, run.status)


def _row(run: Run, now: datetime, shared: _Shared) -> RunRow:
    tags = run.tag_list
    return RunRow(
        id=run.id,
        short=presenters.short_id(run.id),
        task=run.task_id,
        queue=run.queue,
        look=presenters.look(run),
        created_at=run.created_at,
        is_test=run.is_test,
        address=f"{shared.start}/{run.id}",
        queue_address=shared.queues[run.queue],
        token="" if run.is_final else token(run),
        wait=presenters.queue_time(run, now),
        took=presenters.run_time(run, now),
        waits_since=run.queued_at if run.is_pending else None,
        runs_since=run.started_at if run.holds_slot else None,
        trouble=_trouble(run),
        can_cancel=presenters.can_cancel(run),
        is_pending=run.is_pending,
        tries=presenters.tries(run),
        max_tries=run.max_attempts,
        tags=tags[:TAGS],
        more_tags=len(tags[TAGS:]),
        version=run.version,
        usual=shared.usual.get(run.task_id, 0),
        children=shared.children.get(run.id, Counter()),
        facts=shared.facts.get(run.id, []),
        list_address=shared.start,
        cells="",
    )


def _trouble(run: Run) -> str:
    """Why it did not end well, in one line."""
    if not run.error or presenters.ended_well(run):
        return run.reason
    return tracebacks.headline(run.error) or run.reason

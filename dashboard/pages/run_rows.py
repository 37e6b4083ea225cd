"""A run as a line of a list."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard import presenters
from dashboard.pages import live, tracebacks
from runs.models import Run


@dataclass(frozen=True, slots=True)
class RunRow:
    """What a line shows, decided once so that the template only writes it down."""

    run: Run
    look: presenters.Look
    token: str
    wait: timedelta | None
    took: timedelta | None
    trouble: str
    can_cancel: bool
    tries: int


def rows(runs: Iterable[Run], now: datetime) -> list[RunRow]:
    return [_row(run, now) for run in runs]


def token(run: Run) -> str:
    """Changes with whatever a line shows."""
    return live.token(run.updated_at, run.status)


def _row(run: Run, now: datetime) -> RunRow:
    failure = tracebacks.read(run.error) if run.error and not presenters.ended_well(run) else None
    return RunRow(
        run=run,
        look=presenters.look(run),
        token="" if run.is_final else token(run),
        wait=presenters.queue_time(run, now),
        took=presenters.run_time(run, now),
        trouble=f"{failure.name}: {failure.first_line}" if failure else run.reason,
        can_cancel=presenters.can_cancel(run),
        tries=presenters.tries(run),
    )

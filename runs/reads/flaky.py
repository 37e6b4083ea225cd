"""Tasks whose runs succeed only after a retry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Sum

from runs.models import ErrorCount, ErrorGroup, Facet, Run
from runs.reads import rollups
from runs.reads.errors import span_of
from runs.reads.tally import Tally
from runs.slots import slot
from runs.states import RunStatus

#: Tasks that are shown, errors of each, and errors that are asked about.
SHOWN, ERRORS, LOOKED_AT = 50, 3, 1000


@dataclass(slots=True)
class Flaky:
    """A task, with what its runs of the window came to."""

    task_id: str
    #: Of its runs that completed, those that needed more than one try.
    recovered: int
    completed: int
    #: Attempts that failed and were followed by another.
    retried: int = 0
    #: Its errors, and how many retries each cost; the most frequent first.
    errors: list[tuple[ErrorGroup, int]] = field(default_factory=list)
    #: One that recovered lately, if the newest failures of those errors did.
    last: Run | None = None

    @property
    def share(self) -> float:
        return min(1.0, self.recovered / self.completed) if self.completed else 0.0


def since(start: datetime, now: datetime) -> list[Flaky]:
    """Those with most recovered runs first; a handful of statements, however many runs."""
    found = rollups.each(Facet.TASK, start, now, rollups.tail(now))
    tasks = [_task(name, tally) for name, tally in found.items() if tally.recovered]
    shown = sorted(tasks, key=lambda one: (-one.recovered, one.task_id))[:SHOWN]
    by_task = {one.task_id: one for one in shown}
    for group, retried in _retried(list(by_task), start):
        by_task[group.task_id].retried += retried
        by_task[group.task_id].errors.append((group, retried))
    last = _completed([group.last_run_id for one in shown for group, _ in one.errors])
    for one in shown:
        one.errors = sorted(one.errors, key=lambda pair: -pair[1])[:ERRORS]
        one.last = last.get(one.task_id)
    return shown


def _task(name: str, tally: Tally) -> Flaky:
    return Flaky(name, tally.recovered, tally.completed)


def _retried(tasks: Sequence[str], start: datetime) -> list[tuple[ErrorGroup, int]]:
    """Errors of these tasks with the attempts they cost that were not the last."""
    known = ErrorGroup.objects.filter(task_id__in=tasks, last_at__gte=start).order_by("-last_at")
    groups = {group.pk: group for group in known[:LOOKED_AT]}
    span = span_of(start)
    counts = ErrorCount.objects.filter(
        fingerprint__in=list(groups), span=span, at__gte=slot(start, span)
    )
    sums = counts.order_by().values("fingerprint").annotate(n=Sum("failures") - Sum("ended"))
    return [(groups[name], count) for name, count in sums.values_list("fingerprint", "n") if count]


def _completed(ids: Sequence[str]) -> dict[str, Run]:
    """The newest of these runs that succeeded, by task."""
    runs = Run.objects.filter(pk__in=ids, status=RunStatus.COMPLETED).order_by("id")
    return {run.task_id: run for run in runs.only("id", "task_id", "finished_at")}

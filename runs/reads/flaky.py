"""Tasks whose runs succeed only after a retry, by the failures of a window."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from runs.models import ErrorGroup, Failure, Run
from runs.reads.counts import Capped, capped
from runs.reads.windows import floor_id
from runs.states import RunStatus

#: Failures that are looked at, those of the newest runs; tasks that are shown.
LOOKED_AT, SHOWN = 5000, 50
#: Successes of a task are counted up to here.
CAP = 1000


@dataclass(slots=True)
class Flaky:
    """A task, with the runs of the window that failed first and then succeeded."""

    task_id: str
    recovered: int = 0
    retries: int = 0
    last: Run | None = None
    #: Its errors that went away by themselves, and how many attempts each cost; the most frequent first.
    errors: list[tuple[ErrorGroup, int]] = field(default_factory=list)
    succeeded: Capped = field(default_factory=lambda: Capped(0, CAP))

    @property
    def share(self) -> float | None:
        """Of its successes, those that needed a retry; None where there are too many to count."""
        if self.succeeded.value > CAP or not self.succeeded.value:
            return None
        return min(1.0, self.recovered / self.succeeded.value)


@dataclass(frozen=True, slots=True)
class Found:
    """Flaky tasks, those with most recovered runs first; whether older failures were left out."""

    tasks: list[Flaky]
    is_cut: bool


def since(start: datetime) -> Found:
    """Among runs made since then."""
    rows = list(_retried(start)[: LOOKED_AT + 1])
    by_run: dict[str, list[str]] = defaultdict(list)
    for run_id, fingerprint in rows[:LOOKED_AT]:
        by_run[run_id].append(fingerprint)
    tasks: dict[str, Flaky] = {}
    errors: dict[str, Counter[str]] = defaultdict(Counter)
    for run in _recovered(by_run):
        told = tasks.setdefault(run.task_id, Flaky(run.task_id, last=run))
        told.recovered += 1
        told.retries += len(by_run[run.pk])
        errors[run.task_id].update(by_run[run.pk])
    shown = sorted(tasks.values(), key=lambda one: (-one.recovered, one.task_id))[:SHOWN]
    groups = ErrorGroup.objects.in_bulk({name for one in shown for name in errors[one.task_id]})
    for one in shown:
        one.succeeded = _succeeded(one.task_id, start)
        most = errors[one.task_id].most_common(3)
        one.errors = [(groups[name], count) for name, count in most if name in groups]
    return Found(shown, len(rows) > LOOKED_AT)


def _retried(start: datetime) -> QuerySet[Failure, tuple[str, str]]:
    retried = Failure.objects.filter(run_id__gte=floor_id("run", start), ended=False)
    return retried.order_by("-run_id", "-attempt").values_list("run_id", "fingerprint")


def _recovered(ids: Iterable[str]) -> Iterable[Run]:
    """The newest first."""
    wanted = list(ids)
    found: list[Run] = []
    for at in range(0, len(wanted), 500):
        runs = Run.objects.filter(pk__in=wanted[at : at + 500], status=RunStatus.COMPLETED)
        found += runs.only("id", "task_id", "finished_at", "attempt_number").order_by("-id")
    return found


def _succeeded(task_id: str, start: datetime) -> Capped:
    newest = Run.objects.filter(
        task_id=task_id, status=RunStatus.COMPLETED, id__gte=floor_id("run", start)
    )
    return capped(newest, CAP)

"""When it broke: the last run that was good, the first that was not."""

from dataclasses import dataclass

from django.db.models import QuerySet

from runs.models import ErrorGroup, Run
from runs.states import RunStatus

#: Runs of a task that are looked through for one that succeeded.
LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class Break:
    """The first failure by an error, the last success before it, and the newest success of the task."""

    first_bad: Run | None
    last_good: Run | None
    newest_good: Run | None

    @property
    def changed_version(self) -> bool:
        """Whether the code changed between the two."""
        bad, good = self.first_bad, self.last_good
        return bad is not None and good is not None and bad.version != good.version


def of(group: ErrorGroup) -> Break:
    """Bounded: a success long ago is not found."""
    runs = Run.objects.filter(task_id=group.task_id)
    return Break(
        Run.objects.light().filter(pk=group.first_run_id).first(),
        newest_success(runs.filter(pk__lt=group.first_run_id)),
        newest_success(runs),
    )


def newest_success(runs: QuerySet[Run]) -> Run | None:
    """Among the newest LOOKED_AT of these runs of one task."""
    return successes(runs).first()


def successes(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Those of the newest LOOKED_AT that succeeded, the newest first."""
    newest = runs.order_by("-id").values("id")[:LOOKED_AT]
    found = Run.objects.light().filter(pk__in=newest, status=RunStatus.COMPLETED)
    return found.order_by("-id")

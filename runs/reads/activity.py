"""The newest run of each task."""

from django.db.models import OuterRef, Subquery

from runs.models import Run, Task


def last_runs(tasks: list[Task]) -> dict[str, Run]:
    """The newest run of each of `tasks`; one statement."""
    newest = Run.objects.filter(task_id=OuterRef("id")).order_by("-id").values("id")[:1]
    ids = Task.objects.filter(id__in=[task.id for task in tasks]).order_by()
    wanted = ids.annotate(last=Subquery(newest)).values("last")
    return {run.task_id: run for run in Run.objects.light().filter(id__in=wanted)}

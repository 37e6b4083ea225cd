"""The newest run of each task."""

from django.db.models import OuterRef, Subquery

from runs.models import Run, Task


def last_runs(tasks: list[Task]) -> dict[str, Run]:
    """The newest run of each of `tasks`."""
    newest = Run.objects.filter(task_id=OuterRef("id")).order_by("-id").values("id")[:1]
    ids = Task.objects.filter(id__in=[task.id for task in tasks]).annotate(last=Subquery(newest))
    wanted = [run_id for run_id in ids.values_list("last", flat=True) if run_id]
    return {run.task_id: run for run in Run.objects.light().filter(id__in=wanted)}

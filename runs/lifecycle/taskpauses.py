"""Pausing one task: its runs wait, whatever queue they stand in.

No claim asks for it. Each cluster counts a paused task among those it lacks: what it takes of it comes
back as due, and promotion then pins it to what no cluster runs until the task goes on.
"""

from django.db import transaction
from django.utils import timezone

from runs import signals
from runs.errors import NotFound
from runs.lifecycle import audit, checks, fleet
from runs.models import Run, Task


@transaction.atomic
def pause_task(task_id: str, *, actor: str, reason: str = "") -> Task:
    """No run of the task starts any more; executing ones go on, triggers pile up. Raises NotFound."""
    checks.text("reason", reason)
    task = _locked(task_id)
    if task.paused_at is None:
        task.paused_at, task.paused_by, task.paused_reason = timezone.now(), actor, reason
        _save(task)
        audit.record(actor, "task.pause", task_id, reason=reason)
    return task


@transaction.atomic
def resume_task(task_id: str, *, actor: str) -> Task:
    """Its runs start again, in the order in which they stood. Raises NotFound."""
    task = _locked(task_id)
    if task.paused_at is not None:
        task.paused_at, task.paused_by, task.paused_reason = None, "", ""
        _save(task)
        audit.record(actor, "task.resume", task_id)
        transaction.on_commit(lambda: signals.runs_ready.send(sender=Run))
    return task


def _locked(task_id: str) -> Task:
    rows = Task.objects.select_for_update().filter(pk=task_id) if "\x00" not in task_id else None
    task = rows.first() if rows is not None else None
    if task is None:
        raise NotFound(f"There is no task {task_id[:80]}.")
    return task


def _save(task: Task) -> None:
    task.save(update_fields=["paused_at", "paused_by", "paused_reason"])
    fleet.compare()

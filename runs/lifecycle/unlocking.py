"""Letting a run go on with whatever version there is, by hand."""

import json

from django.db import transaction
from django.utils import timezone

from runs import signals
from runs.errors import IllegalTransition, NotFound
from runs.lifecycle import audit, fleet
from runs.lifecycle.moving import unpark
from runs.lifecycle.transition import note
from runs.models import EventKind, Ready, Run
from runs.states import RunStatus


def unlock(run_id: str, *, actor: str) -> Run:
    """Forget which version of the task code a run is locked to, and that it was asked for.

    Raises NotFound, and IllegalTransition where it executes, has ended, or is locked to none.
    """
    with transaction.atomic():
        pinned = Ready.objects.select_for_update().filter(pk=run_id).exclude(pin="")
        pins = [row.pin for row in pinned]
        run = _lockable(run_id)
        old = run.version
        Run.objects.filter(pk=run_id).update(version="", version_asked=False)
        if pins:
            Ready.objects.filter(pk=run_id).update(pin="", not_before=timezone.now())
        why, data = f"Unlocked from version {old}.", json.dumps({"from": old, "to": ""})
        note(run_id, EventKind.MOVED, run.status, actor=actor, reason=why, data=data)
        audit.record(actor, "run.unlock", run_id, version=old)
        transaction.on_commit(_announce)
    if run.status == RunStatus.PENDING_VERSION and fleet.has(run.task_id):
        unpark([run.task_id])
    run.refresh_from_db()
    return run


def _lockable(run_id: str) -> Run:
    """The run, locked against claims and ends."""
    run = Run.objects.select_for_update().light().filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    if run.is_final or run.holds_slot or not run.version:
        why = "" if run.version else ": it is locked to no version"
        raise IllegalTransition(run_id, run.status, f"unlocked{why}")
    return run


def _announce() -> None:
    signals.runs_ready.send(sender=Run)

"""Stopping runs."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from runs import signals
from runs.errors import NotFound
from runs.lifecycle import audit, checks
from runs.lifecycle.transition import move, note, skip_locked
from runs.models import Attempt, Event, EventKind, Ready, Run, Waiter
from runs.states import FINAL, LEASED, PENDING, AttemptStatus, RunStatus

NOT_EXECUTING = PENDING | {RunStatus.WAITING}
SYSTEM = "system"
#: What a cancel that leaves the children alone notes in its event.
KEEPS_CHILDREN = '{"keep_children": true}'
CHANGED = ["status", "reason", "finished_at", "cancel_requested_at", "updated_at"]


def cancel(run_id: str, *, actor: str, reason: str = "", keep_children: bool = False) -> Run:
    """Stop a run, and unless `keep_children` everything it triggered (DEC-26).

    A run that is not executing is CANCELED when this returns and never starts. An executing one is
    asked to stop: it shows as canceling and holds its slot until its body really stopped. A finished
    run stays as it is. Raises NotFound.
    """
    checks.text("reason", reason)
    data = KEEPS_CHILDREN if keep_children else ""
    run = cancel_alone(run_id, actor=actor, reason=reason, data=data)
    if not keep_children:
        cancel_below(run, actor=actor)
    return run


def cancel_below(run: Run, *, actor: str) -> None:
    """What a run that was canceled alone had triggered; never in the transaction that canceled it.

    An end goes from a child up to who waits for it, so one that went down as well could meet it.
    """
    if run.is_canceling or run.status == RunStatus.CANCELED:
        _cancel_descendants(run.pk, actor)


def stopping(run_ids: Iterable[str]) -> set[str]:
    """Those of these runs that are canceled, or are being, together with their children."""
    asked = Q(cancel_requested_at__isnull=False) | Q(status=RunStatus.CANCELED)
    found = set(Run.objects.filter(asked, pk__in=run_ids).values_list("pk", flat=True))
    keeping = Event.objects.filter(run_id__in=found, data=KEEPS_CHILDREN) if found else ()
    return found - {event.run_id for event in keeping}


def follow(children: Iterable[tuple[str, str]]) -> None:
    """Cancel those of these (run, parent) whose parent is canceled or being so (CA-10).

    A cancel looks for children once, after it is written; a child looks at its parent after that
    child is written. So one of the two sees the other, and none waits for the other's transaction.
    """
    children = list(children)
    parents = stopping({parent for _, parent in children})
    for child, parent in children:
        if parent in parents:
            cancel(child, actor=SYSTEM, reason=_with_parent(parent))


def cancel_orphans(run_id: str) -> None:
    """The process of a run is gone: what it triggered in its last moment may not have looked."""
    if stopping([run_id]):
        _cancel_descendants(run_id, SYSTEM)


def _cancel_descendants(run_id: str, actor: str) -> None:
    """Everything below, also under children that have finished already (CA-10)."""
    parents = [run_id]
    while parents:
        below = Run.objects.filter(parent_id__in=parents).values_list("pk", "status", "parent_id")
        parents = []
        for child, status, parent in below:
            parents.append(child)
            if status not in FINAL:
                cancel_alone(child, actor=actor, reason=_with_parent(parent))


def _with_parent(parent: str | None) -> str:
    return f"Its parent {parent} was canceled."


def cancel_alone(run_id: str, *, actor: str, reason: str, data: str = "") -> Run:
    """One run without what it triggered. Raises NotFound."""
    while True:
        run = Run.objects.filter(pk=run_id).light().first()
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        if run.is_final or run.cancel_requested_at is not None:
            return run
        stop = _request if run.holds_slot else _cancel_now
        with transaction.atomic():
            if stop(run, actor, reason, data):
                audit.record(actor, "run.cancel", run_id, reason=reason, status=run.status)
                run.refresh_from_db(fields=CHANGED)
                return run


def _cancel_now(run: Run, actor: str, reason: str, data: str) -> bool:
    """Ready row before run, as claims lock them; then once more for a row a retry made between.

    The second look passes over a row that a claim has locked: that claim finds the run canceled.
    """
    Ready.objects.filter(pk=run.pk).delete()
    done = move(
        run.pk,
        RunStatus.CANCELED,
        EventKind.CANCELED,
        actor=actor,
        reason=reason,
        data=data,
        only_from=NOT_EXECUTING,
    )
    again = Ready.objects.filter(pk=run.pk).select_for_update(**skip_locked())
    Ready.objects.filter(pk__in=[row.pk for row in again if done]).delete()
    if done:
        _end_wait(run)
        transaction.on_commit(_announce)
    return done


def _end_wait(run: Run) -> None:
    """Nothing wakes it any more; the attempt that was on hold ended now."""
    Waiter.objects.filter(run_id=run.pk).delete()
    run.refresh_from_db(fields=["waited_attempt", "finished_at"])
    number = run.waited_attempt
    if not number or Attempt.objects.filter(run_id=run.pk, number=number).exists():
        return
    Run.objects.filter(pk=run.pk).update(attempt_number=number)
    starts = Event.objects.filter(run_id=run.pk, kind=EventKind.STARTED, attempt=number)
    first = starts.order_by("id")[0]
    Attempt.objects.create(
        run_id=run.pk,
        number=number,
        status=AttemptStatus.CANCELED,
        session_id=first.actor.removeprefix("session:"),
        started_at=first.at,
        finished_at=run.finished_at,
    )


def _announce() -> None:
    """A run that waited for the canceled one may go on."""
    signals.runs_ready.send(sender=Run)


def _request(run: Run, actor: str, reason: str, data: str) -> bool:
    now = timezone.now()
    asked = Run.objects.filter(
        pk=run.pk, status__in=LEASED, cancel_requested_at__isnull=True
    ).update(cancel_requested_at=now, reason=reason, updated_at=now)
    if asked:
        run.refresh_from_db(fields=CHANGED)
        note(
            run.pk,
            EventKind.CANCEL_REQUESTED,
            run.status,
            actor=actor,
            reason=reason,
            data=data,
            at=now,
        )
        transaction.on_commit(lambda: _tell(run.pk))
    return bool(asked)


def _tell(run_id: str) -> None:
    signals.cancel_requested.send(sender=Run, run_id=run_id)

"""What a body remembers and waits for, written under its lease; and waits ended by hand."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from runs import signals
from runs.errors import IllegalTransition, InvalidOption, NotFound
from runs.journal import Entry
from runs.lifecycle import audit, store
from runs.models import Journal, Ready, Run, Waiter
from runs.states import EntryKind, EntryStatus, RunStatus

#: Longest way up from a run that is looked along for a circle.
DEEPEST = 1000


class Fenced(Exception):
    """The run was taken away from whoever wanted to write."""


def record(run_id: str, token: str, entries: Sequence[Entry]) -> None:
    """Add to the run's journal, in the caller's transaction if there is one. Raises Fenced."""
    if not store.current().record(run_id, token, entries):
        raise Fenced(run_id)


def refuse_circles(run_id: str, targets: Sequence[str]) -> None:
    """Raise InvalidOption when one of these is the run itself, or a run that waits for it."""
    at: str | None = run_id
    above = {run_id}
    for _ in range(DEEPEST):
        at = Run.objects.filter(pk=at).values_list("parent_id", flat=True).first()
        if at is None or at in above:
            break
        above.add(at)
    above |= _waiting_for(above)
    for target in targets:
        if target in above:
            raise InvalidOption(
                "idempotency_key",
                f"Run {run_id} cannot wait for {target}, which is itself or waits for it: both would "
                "wait for ever.",
            )


def _waiting_for(runs: set[str]) -> set[str]:
    """Runs that wait for one of these, directly or through others."""
    found: set[str] = set()
    while runs:
        waiters = Waiter.objects.filter(target__in=runs).values_list("run_id", flat=True)
        runs = set(waiters) - found
        found |= runs
    return found


def skip(run_id: str, *, actor: str) -> None:
    """End the time wait of a WAITING run now. Raises NotFound, IllegalTransition."""
    now = timezone.now()
    with transaction.atomic():
        ready = Ready.objects.select_for_update().filter(pk=run_id).first()
        run = Run.objects.light().filter(pk=run_id).first()
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        waits = Journal.objects.filter(
            Q(due_at__gt=now),
            run_id=run_id,
            kind=EntryKind.WAIT,
            status=EntryStatus.PENDING,
            attempt=run.waited_attempt,
        )
        if ready is None or run.status != RunStatus.WAITING or not waits.update(due_at=now):
            raise IllegalTransition(run_id, run.status, "resumed: it does not wait for a time")
        Run.objects.filter(pk=run_id).update(
            done_token=""
        )  # who knows its journal knows it no more
        store.current().resume([run_id])
        audit.record(actor, "run.skip_wait", run_id)
        transaction.on_commit(lambda: signals.runs_ready.send(sender=Run))

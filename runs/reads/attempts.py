"""The attempts of a run: those that ended, and the one that executes."""

from runs.models import Attempt, Lease, Run
from runs.states import AttemptStatus


def of(run: Run) -> list[Attempt]:
    """By number. The one that executes is made from its lease and not stored."""
    # the lease first: an attempt that ends meanwhile is then seen twice and not never
    leases = Lease.objects.filter(pk=run.pk) if run.holds_slot else ()
    live = [live_attempt(lease) for lease in leases]
    ended = list(Attempt.objects.filter(run_id=run.pk).order_by("number"))
    numbers = {attempt.number for attempt in ended}
    return ended + [one for one in live if one is not None and one.number not in numbers]


def live_attempt(lease: Lease) -> Attempt | None:
    """The attempt a lease stands for; None before its body was entered."""
    if lease.started_at is None:
        return None
    return Attempt(
        run_id=lease.run_id,
        number=lease.attempt,
        status=AttemptStatus.EXECUTING,
        session_id=lease.session_id,
        pid=lease.pid,
        started_at=lease.started_at,
        segments="[]",
    )

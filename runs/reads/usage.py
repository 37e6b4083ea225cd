"""How long runs executed: waits and pauses between attempts are not part of it (features.md WA-4)."""

from datetime import datetime, timedelta

from runs.errors import NotFound
from runs.models import Attempt, Lease, Run

MILLISECOND = timedelta(milliseconds=1)


def of(run_id: str, attempt: int) -> tuple[int, int, bool, datetime | None]:
    """Executing milliseconds of a run and of one of its attempts, without the segment that executes;
    whether there is one, and since when as far as it is on record. Raises NotFound.
    """
    # the lease first: a segment that ends meanwhile is then counted by the row and not twice
    lease = Lease.objects.filter(pk=run_id).values("started_at").first()
    names = "usage_ms", "waited_attempt", "attempt_ms"
    run = Run.objects.filter(pk=run_id).values(*names).first()
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    before = run["attempt_ms"] if run["waited_attempt"] == attempt else 0
    if lease is not None:
        return run["usage_ms"], before, True, lease["started_at"]
    ended = Attempt.objects.filter(run_id=run_id, number=attempt).first()
    if ended is not None and ended.finished_at is not None:
        before += (ended.finished_at - ended.started_at) // MILLISECOND
    return run["usage_ms"], before, False, None


def executed(run: Run, now: datetime) -> timedelta:
    """How long a run has executed by now, over all its attempts."""
    total = timedelta(milliseconds=run.usage_ms)
    if not run.holds_slot:
        return total
    lease = Lease.objects.filter(pk=run.pk).only("started_at").first()
    since = None if lease is None else lease.started_at
    return total if since is None else total + max(now - since, timedelta())

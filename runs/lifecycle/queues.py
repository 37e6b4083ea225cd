"""What people do to queues. Every change is in the audit log and survives restarts and new code."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from runs import signals
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit, checks
from runs.models import Bucket, Queue

MAX_LIMIT = 100_000


@transaction.atomic
def pause(name: str, *, actor: str, reason: str = "") -> Queue:
    """No run of the queue starts any more; executing ones go on, triggers pile up (QP-1)."""
    checks.text("reason", reason)
    queue = _locked(name)
    if not queue.paused:
        queue.paused, queue.paused_at = True, timezone.now()
        queue.paused_by, queue.paused_reason = actor, reason
        queue.save(update_fields=["paused", "paused_at", "paused_by", "paused_reason"])
        audit.record(actor, "queue.pause", name, reason=reason)
    return queue


@transaction.atomic
def resume(name: str, *, actor: str) -> Queue:
    """Runs of the queue start again."""
    queue = _locked(name)
    if queue.paused:
        queue.paused, queue.paused_at, queue.paused_by, queue.paused_reason = False, None, "", ""
        queue.save(update_fields=["paused", "paused_at", "paused_by", "paused_reason"])
        audit.record(actor, "queue.resume", name)
        _look_again(queue)
    return queue


@transaction.atomic
def override_limit(
    name: str, limit: int, *, actor: str, reason: str = "", expires_at: datetime | None = None
) -> Queue:
    """Set another limit than the code's, until reset or until `expires_at` (DEC-44).

    A lower limit stops nothing that runs; it holds for what starts next. Raises InvalidOption
    outside 0 to 100,000 and for an expiry that has passed.
    """
    _check_override(limit, reason, expires_at)
    queue = _locked(name)
    old = queue.limit
    queue.override_limit, queue.overridden_at = limit, timezone.now()
    queue.overridden_by, queue.override_reason = actor, reason
    queue.override_expires_at = expires_at
    queue.save(update_fields=OVERRIDE)
    audit.record(actor, "queue.override", name, reason=reason, old=old, new=limit)
    _look_again(queue)
    return queue


def _check_override(limit: int, reason: str, expires_at: datetime | None) -> None:
    checks.text("reason", reason)
    if type(limit) is not int or not 0 <= limit <= MAX_LIMIT:
        raise InvalidOption("limit", f"A limit is a whole number from 0 to {MAX_LIMIT:,}.")
    if expires_at is None:
        return
    checks.moment("expires_at", expires_at)
    if expires_at <= timezone.now():
        raise InvalidOption("expires_at", "The override would have expired already.")


OVERRIDE = [
    "override_limit",
    "overridden_at",
    "overridden_by",
    "override_reason",
    "override_expires_at",
]


@transaction.atomic
def reset_limit(name: str, *, actor: str, reason: str = "") -> Queue:
    """Back to the code's limit. Raises InvalidOption when there is no override (QP-7)."""
    queue = _locked(name)
    if queue.override_limit is None:
        raise InvalidOption("limit", f"The limit of queue “{name}” is not overridden.")
    return _reset(queue, actor, reason)


def _reset(queue: Queue, actor: str, reason: str) -> Queue:
    old = queue.override_limit
    queue.override_limit = queue.overridden_at = queue.override_expires_at = None
    queue.overridden_by = queue.override_reason = ""
    queue.save(update_fields=OVERRIDE)
    audit.record(actor, "queue.reset", queue.name, reason=reason, old=old, new=queue.limit)
    _look_again(queue)
    return queue


@transaction.atomic
def set_limits(name: str, *, concurrency_limit: int | None, total_limit: int | None) -> Queue:
    """Store the limits the code declares; overrides and pauses stay."""
    queue = _locked(name)
    if (queue.concurrency_limit, queue.total_limit) != (concurrency_limit, total_limit):
        queue.concurrency_limit, queue.total_limit = concurrency_limit, total_limit
        queue.save(update_fields=["concurrency_limit", "total_limit"])
        _look_again(queue)
    return queue


def expire_overrides() -> int:
    """Reset overrides whose time has passed. Returns how many."""
    over = Queue.objects.filter(
        override_limit__isnull=False, override_expires_at__lte=timezone.now()
    )
    return sum(_expire_override(pk) for pk in list(over.values_list("pk", flat=True)))


@transaction.atomic
def _expire_override(pk: int) -> bool:
    """One of them, unless a person was first and gave it another or none."""
    queue = Queue.objects.select_for_update().filter(pk=pk).first()
    ends = queue and queue.override_expires_at
    if queue is None or queue.override_limit is None or not ends or ends > timezone.now():
        return False
    _reset(queue, "system", "The override's time has passed.")
    return True


def _locked(name: str) -> Queue:
    queue = Queue.objects.select_for_update().filter(name=name).first()
    if queue is None:
        raise NotFound(f"There is no queue named “{name}”.")
    return queue


def _look_again(queue: Queue) -> None:
    """Forget that buckets were full under the old limit.

    Every bucket row is written, not just the full ones: the write waits for claims that counted
    under the old limit, so none can set the flag after us.
    """
    Bucket.objects.filter(queue=queue).update(full=False)
    Queue.objects.filter(pk=queue.pk).update(full=False)
    transaction.on_commit(lambda: signals.runs_ready.send(sender=Queue))

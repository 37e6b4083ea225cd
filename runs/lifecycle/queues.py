"""What people do to queues. Every change is in the audit log and survives restarts and new code."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from runs import signals
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit, checks
from runs.models import Bucket, Queue
from runs.rates import RateLimit, as_rate

MAX_LIMIT = 100_000
#: First number of a queue's own lock, as in `runs/sql/postgresql`; the second is the queue's.
LOCKS = 29_299
#: Claims try it where one of these is set.
LIMITED = ("concurrency_limit", "total_limit", "override_limit", "override_total")
ALONE = """
SELECT pg_advisory_xact_lock(%s, (id %% 2147483648)::integer) FROM unnest(%s::bigint[]) AS id
"""


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
def pause_all(*, actor: str, reason: str = "") -> int:
    """No run of any queue starts any more, also of queues that are made later (QP-3).

    Returns how many queues that paused. Those that were paused before stay so after `resume_all`.
    """
    checks.text("reason", reason)
    now = timezone.now()
    rows = list(Queue.objects.select_for_update(no_key=True).order_by("pk"))
    open_ones = [row.pk for row in rows if not row.paused]
    Queue.objects.filter(pk__in=open_ones).update(
        paused=True, paused_at=now, paused_by=actor, paused_reason=reason, all_paused_at=now
    )
    if open_ones:
        audit.record(actor, "queue.pause_all", "", reason=reason, queues=len(open_ones))
    return len(open_ones)


@transaction.atomic
def resume_all(*, actor: str) -> int:
    """What `pause_all` paused goes on. Returns how many queues that are."""
    _alone(Queue.objects.filter(paused=True).exclude(**dict.fromkeys(LIMITED)))
    rows = list(Queue.objects.select_for_update(no_key=True).order_by("pk"))
    held = [row for row in rows if row.paused and row.paused_at == row.all_paused_at]
    Queue.objects.filter(pk__in=[row.pk for row in held]).update(
        paused=False, paused_at=None, paused_by="", paused_reason=""
    )
    Queue.objects.filter(all_paused_at__isnull=False).update(all_paused_at=None)
    if held:
        audit.record(actor, "queue.resume_all", "", queues=len(held))
    for queue in held:
        _look_again(queue)
    return len(held)


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a queue: each key, all keys together, and the starts of each key.

    In an override None means: as the code says. `rate` is a `RateLimit`, or what `as_rate` reads.
    """

    limit: int | None = None
    total: int | None = None
    rate: object = None

    @property
    def facts(self) -> dict[str, Any]:
        """For the audit log, without what is not said."""
        rate = as_rate(self.rate, "rate")
        said = {"limit": self.limit, "total": self.total, "rate": rate.text if rate else None}
        return {name: value for name, value in said.items() if value is not None}


@transaction.atomic
def override_limit(
    name: str, limit: int, *, actor: str, reason: str = "", expires_at: datetime | None = None
) -> Queue:
    """Set another limit for each key than the code's; what else is overridden stays (DEC-44)."""
    queue = _locked(name)
    _check_limit("limit", limit)
    limits = Limits(limit, queue.override_total, queue.override_rate)
    return override_limits(name, limits, actor=actor, reason=reason, expires_at=expires_at)


@transaction.atomic
def override_limits(
    name: str, limits: Limits, *, actor: str, reason: str = "", expires_at: datetime | None = None
) -> Queue:
    """Set other limits than the code's, until reset or until `expires_at` (DEC-44).

    They replace an earlier override as a whole. Lower ones stop nothing that runs; they hold for what
    starts next. Raises InvalidOption for limits outside 0 to 100,000, for what is no rate, for an
    override of nothing, and for an expiry that has passed.
    """
    rate = _check_override(limits, reason, expires_at)
    queue = _locked(name)
    old = current_limits(queue)
    queue.override_limit, queue.override_total = limits.limit, limits.total
    queue.override_rate = rate.text if rate else ""
    queue.settle_rate()
    queue.overridden_at, queue.override_expires_at = timezone.now(), expires_at
    queue.overridden_by, queue.override_reason = actor, reason
    queue.save(update_fields=OVERRIDE)
    audit.record(actor, "queue.override", name, reason=reason, **_change(old, queue))
    _look_again(queue)
    return queue


def current_limits(queue: Queue) -> Limits:
    """Those that hold now."""
    return Limits(queue.limit, queue.total, queue.rate)


def _change(old: Limits, queue: Queue) -> dict[str, Any]:
    """What an override changed, for the audit log: the plain limits where nothing else did."""
    new = current_limits(queue)
    if (old.total, old.rate) == (new.total, new.rate):
        return {"old": old.limit, "new": new.limit}
    return {"old": old.facts, "new": new.facts}


def _check_override(limits: Limits, reason: str, expires_at: datetime | None) -> RateLimit | None:
    checks.text("reason", reason)
    rate = as_rate(limits.rate, "rate")
    if limits.limit is None and limits.total is None and rate is None:
        raise InvalidOption("limit", "Say which limit to override: limit, total or rate.")
    for name in ("limit", "total"):
        if getattr(limits, name) is not None:
            _check_limit(name, getattr(limits, name))
    if expires_at is None:
        return rate
    checks.moment("expires_at", expires_at)
    if expires_at <= timezone.now():
        raise InvalidOption("expires_at", "The override would have expired already.")
    return rate


def _check_limit(name: str, limit: object) -> None:
    if type(limit) is not int or not 0 <= limit <= MAX_LIMIT:
        raise InvalidOption(name, f"A {name} is a whole number from 0 to {MAX_LIMIT:,}.")


OVERRIDE = [
    "override_limit",
    "override_total",
    "override_rate",
    "rate_interval",
    "rate_burst",
    "overridden_at",
    "overridden_by",
    "override_reason",
    "override_expires_at",
]


@transaction.atomic
def reset_limit(name: str, *, actor: str, reason: str = "") -> Queue:
    """Back to the code's limits. Raises InvalidOption when there is no override (QP-7)."""
    queue = _locked(name)
    if not queue.is_overridden:
        raise InvalidOption("limit", f"The limits of queue “{name}” are not overridden.")
    return _reset(queue, actor, reason)


def _reset(queue: Queue, actor: str, reason: str) -> Queue:
    old = current_limits(queue)
    queue.override_limit = queue.override_total = None
    queue.overridden_at = queue.override_expires_at = None
    queue.override_rate = queue.overridden_by = queue.override_reason = ""
    queue.settle_rate()
    queue.save(update_fields=OVERRIDE)
    audit.record(actor, "queue.reset", queue.name, reason=reason, **_change(old, queue))
    _look_again(queue)
    return queue


@transaction.atomic
def set_limits(
    name: str,
    *,
    concurrency_limit: int | None,
    total_limit: int | None,
    rate_limit: object = None,
    actor: str = "",
) -> Queue:
    """Store the limits the code declares; overrides and pauses stay. Raises InvalidOption.

    An `actor` is somebody who sets them by hand.
    """
    rate = as_rate(rate_limit)
    limits = concurrency_limit, total_limit, rate.text if rate else ""
    queue = _locked(name)
    if (queue.concurrency_limit, queue.total_limit, queue.rate_limit) != limits:
        queue.concurrency_limit, queue.total_limit, queue.rate_limit = limits
        queue.settle_rate()
        queue.save(update_fields=CODE)
        if actor:
            facts: dict[str, Any] = dict(zip(CODE, limits, strict=False))
            audit.record(actor, "queue.limits", name, **facts)
        _look_again(queue)
    return queue


CODE = ["concurrency_limit", "total_limit", "rate_limit", "rate_interval", "rate_burst"]


def expire_overrides() -> int:
    """Reset overrides whose time has passed. Returns how many."""
    over = Queue.objects.filter(override_expires_at__lte=timezone.now())
    return sum(_expire_override(pk) for pk in list(over.values_list("pk", flat=True)))


@transaction.atomic
def _expire_override(pk: int) -> bool:
    """One of them, unless a person was first and gave it another or none."""
    queue = _changed(Queue.objects.filter(pk=pk))
    ends = queue and queue.override_expires_at
    if queue is None or not queue.is_overridden or not ends or ends > timezone.now():
        return False
    _reset(queue, "system", "The override's time has passed.")
    return True


def _locked(name: str) -> Queue:
    queue = _changed(Queue.objects.filter(name=name))
    if queue is None:
        raise NotFound(f"There is no queue named “{name}”.")
    return queue


def _changed(queue: QuerySet[Queue]) -> Queue | None:
    """Its row, after the queue's own lock: see `runs.lifecycle.store`."""
    _alone(queue)
    return queue.select_for_update(no_key=True).first()


def _alone(queues: QuerySet[Queue]) -> None:
    """Take the queues' own locks. A server has some thousands of them for everybody, so none for
    queues that claims need not try.
    """
    if connection.vendor == "postgresql":
        ids = list(queues.order_by("pk").values_list("pk", flat=True))
        with connection.cursor() as cursor:
            cursor.execute(ALONE, [LOCKS, ids])


def _look_again(queue: Queue) -> None:
    """Forget that buckets were full or closed under the old limits.

    Every bucket row is written, not just the full ones: the write waits for claims that counted
    under the old limit, so none can set the flag after us.
    """
    Bucket.objects.filter(queue=queue).update(full=False, opens_at=None)
    Queue.objects.filter(pk=queue.pk).update(full=False)
    transaction.on_commit(lambda: signals.runs_ready.send(sender=Queue))

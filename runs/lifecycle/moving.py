"""Moves that time or a registration brings: due delays and retries, lapsed TTLs, new versions."""

import json
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from runs import conf, fingerprints, signals
from runs.errors import UnknownQueue
from runs.lifecycle import definitions, fleet, keys, overlapping, store, versions
from runs.lifecycle.opening import open_due
from runs.lifecycle.transition import move, skip_locked
from runs.machines import lane_of
from runs.models import NEVER, Bucket, EventKind, Failure, Lease, Ready, Run
from runs.states import RunStatus

#: Rows one sweep moves in one transaction.
BATCH = 500
SYSTEM = "system"


def promote_due() -> int:
    """Closed buckets open or, with none, due delays, retries and waits become claimable. Returns how many."""
    return open_due() or _promote_ready()


def _promote_ready() -> int:
    now = timezone.now()
    with transaction.atomic():
        due = Ready.objects.filter(not_before__lte=now).order_by("not_before")[:BATCH]
        ids = [row.pk for row in due.select_for_update(**skip_locked())]
        if not ids:
            return 0
        waiting = Run.objects.filter(pk__in=ids, status=RunStatus.WAITING)
        store.current().resume(list(waiting.values_list("pk", flat=True)))
        Ready.objects.filter(pk__in=ids, not_before__isnull=False).update(not_before=None)
        Run.objects.filter(pk__in=ids, status=RunStatus.QUEUED).update(retry_at=None)
        for run in Run.objects.filter(pk__in=ids, status=RunStatus.DELAYED).light():
            queue(run, now, "Its delay has passed.", RunStatus.DELAYED)
        versions.settle(ids)
    return len(ids)


def queue(run: Run, now: datetime, reason: str, only_from: RunStatus) -> bool:
    """It stands in its queue from now on; its time to live begins. In the caller's transaction."""
    expires = now + timedelta(seconds=run.ttl) if run.ttl and run.started_at is None else None
    return move(
        run.pk,
        RunStatus.QUEUED,
        EventKind.QUEUED,
        actor=SYSTEM,
        reason=reason,
        only_from=frozenset({only_from}),
        queued_at=run.queued_at or now,
        expires_at=expires,
    )


def expire_due() -> int:
    """Queued runs whose TTL passed before their first start become EXPIRED. Returns how many."""
    found = lapsed(timezone.now()).values_list("pk", flat=True)[:BATCH]
    return sum(expire(run_id) for run_id in found)


def lapsed(now: datetime) -> QuerySet[Run]:
    """Queued runs whose TTL has passed; costs nothing for those that have none.

    Only what is queued and was never started has an `expires_at` and neither of the other two.
    Asking for the status as well would lead SQLite to that index and through the whole backlog.
    """
    return Run.objects.filter(
        started_at__isnull=True, finished_at__isnull=True, expires_at__lte=now
    )


@transaction.atomic
def expire(run_id: str) -> bool:
    """Expire one queued run that never started; False when a claim was first."""
    Ready.objects.filter(pk=run_id).delete()
    reason = "Its time to live passed before a worker could start it."
    done = move(
        run_id,
        RunStatus.EXPIRED,
        EventKind.EXPIRED,
        actor=SYSTEM,
        reason=reason,
        only_from=frozenset({RunStatus.QUEUED}),
        only_if=Q(started_at__isnull=True, expires_at__lte=timezone.now()),
    )
    if not done:
        transaction.set_rollback(True)
        return False
    keys.free(run_id)
    _count_expired(run_id)
    transaction.on_commit(lambda: signals.runs_ready.send(sender=Run))  # it may have been awaited
    return True


def _count_expired(run_id: str) -> None:
    """For the group of what expired of its task."""
    task_id, version = Run.objects.values_list("task_id", "version").get(pk=run_id)
    Failure.objects.create(
        run_id=run_id,
        attempt=0,
        fingerprint=fingerprints.of(fingerprints.EXPIRED, task_id),
        version=version,
        ended=True,
        at=timezone.now(),
    )


def unpark(task_ids: list[str], version: str = "") -> int:
    """Runs that waited for a cluster of this version with one of these tasks go on. Returns how many."""
    definitions.forget()
    fitting = Q(version__in=("", version))
    if not conf.get("STRICT_VERSIONS"):
        fitting |= Q(version_asked=False)
    parked = Run.objects.filter(fitting, status=RunStatus.PENDING_VERSION, task_id__in=task_ids)
    parked = parked.light()
    moved, last = 0, ""
    while batch := list(parked.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = batch[-1].pk
        with transaction.atomic():
            moved += sum(_unpark(run) for run in batch)
    if moved:
        transaction.on_commit(lambda: signals.runs_ready.send(sender=Run))
    return moved


def unpark_forgotten() -> int:
    """Runs that were parked in the moment in which a cluster registered what they wait for."""
    if not Run.objects.filter(status=RunStatus.PENDING_VERSION).exists():
        return 0
    offers = {(one.version, one.tasks) for one in fleet.Fleet.now().sessions if one.tasks}
    return sum(unpark(json.loads(tasks), version) for version, tasks in offers)


def _unpark(run: Run) -> bool:
    """One run; one whose queue was deleted meanwhile stays where it is and says so."""
    now = timezone.now()
    try:
        queue_id = definitions.queue_id(run.queue, task_id=run.task_id)
    except UnknownQueue as error:
        Run.objects.filter(pk=run.pk, status=RunStatus.PENDING_VERSION).update(reason=str(error))
        return False
    later = run.delay_until is not None and run.delay_until > now and run.started_at is None
    reason = "A cluster registered the task."
    parked = RunStatus.PENDING_VERSION  # read before: another cluster may have been first
    if later:
        moved = move(
            run.pk,
            RunStatus.DELAYED,
            EventKind.QUEUED,
            actor=SYSTEM,
            reason=reason,
            only_from=frozenset({parked}),
        )
    else:
        moved = queue(run, now, reason, parked)
    if moved:
        bucket = open_bucket(queue_id, run.concurrency_key)
        not_before = run.delay_until if later else None
        if overlapping.is_held(run):
            not_before = NEVER
        # maybe it was triggered before that was known
        lane = lane_of(run.machine, definitions.task(run.task_id).lane)
        Run.objects.filter(pk=run.pk).exclude(lane=lane).update(lane=lane)
        Ready.objects.create(
            run_id=run.pk,
            bucket_id=bucket.pk,
            sort_key=run.sort_key,
            not_before=not_before,
            lane=lane,
        )
    return moved


def open_bucket(queue_id: int, concurrency_key: str | None) -> Bucket:
    """The bucket of a queue and key, locked against removal. Call inside a transaction."""
    wanted = {"queue_id": queue_id, "key_hash": keys.hashed(concurrency_key)}
    while True:
        Bucket.objects.get_or_create(**wanted, defaults={"concurrency_key": concurrency_key})
        no_key = connection.features.has_select_for_no_key_update
        locked = Bucket.objects.select_for_update(no_key=no_key).filter(**wanted).first()
        if locked is not None:
            return locked


#: Seconds a keyed bucket stands empty before it is removed.
IDLE_SECONDS = 30


@transaction.atomic
def prune_buckets() -> int:
    """Remove keyed buckets in which nothing stands any more. Returns how many.

    The row lock waits for no trigger and keeps new ones out; emptiness is looked at again under it.
    """
    idle = int((timezone.now() - timedelta(seconds=IDLE_SECONDS)).timestamp() * 1_000_000)
    empty = Bucket.objects.exclude(key_hash="").filter(
        ~Exists(Ready.objects.filter(bucket_id=OuterRef("pk"))),
        ~Exists(Lease.objects.filter(bucket_id=OuterRef("pk"))),
        served__lt=idle,
        arrival__lt=idle,  # else its rate has to be remembered
    )
    candidates = list(empty.values_list("pk", flat=True)[:BATCH])
    if not candidates:
        return 0
    locked = Bucket.objects.filter(pk__in=candidates).select_for_update(**skip_locked())
    ids = [bucket.pk for bucket in locked]
    return empty.filter(pk__in=ids).delete()[0]

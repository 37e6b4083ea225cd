"""Removing what the demo made, and nothing else."""

from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, Model, OuterRef

from runs.demo import rollups
from runs.demo.cast import IDS, QUEUE_NAMES
from runs.demo.scenery import MARK
from runs.demo.stories import BATCH_ACTOR
from runs.lifecycle import definitions
from runs.models import (
    Attempt,
    Batch,
    Bucket,
    BulkRun,
    ErrorCount,
    ErrorEvent,
    ErrorGroup,
    Event,
    Failure,
    FinalHooks,
    Idempotency,
    Journal,
    Lease,
    LogLine,
    Queue,
    Ready,
    Run,
    RunTag,
    Schedule,
    Span,
    Stream,
    StreamChunk,
    Task,
    Waiter,
    Waitpoint,
    WorkerSession,
)

#: Runs removed in one transaction, with everything that hangs on them.
STEP = 5_000
HANGING: tuple[type[Model], ...] = (
    *(
        Attempt,
        BulkRun,
        Event,
        Failure,
        FinalHooks,
        Idempotency,
        Journal,
        Lease,
        LogLine,
        Ready,
        RunTag,
    ),
    *(Span, Stream, StreamChunk, Waiter, Waitpoint),
)


def clear() -> Iterator[int]:
    """Remove the shop's runs in steps: how many went with each. Then all that stood around them.

    The audit log keeps what it has: nothing is ever removed from it.
    """
    while ids := list(Run.objects.filter(task_id__in=IDS).values_list("pk", flat=True)[:STEP]):
        with transaction.atomic():
            batches = set(_batches(ids))
            for model in HANGING:
                _remove(model, "run_id", ids)
            _remove(Run, "id", ids)
            _remove(Batch, "id", sorted(batches))
        yield len(ids)
    yield from rollups.take_out(MARK)
    with transaction.atomic():
        _clear_scenery()
    definitions.forget()


def _batches(ids: list[str]) -> Iterator[str]:
    found = Run.objects.filter(pk__in=ids, batch_id__isnull=False).values_list(
        "batch_id", flat=True
    )
    yield from (str(batch_id) for batch_id in found.distinct())


def _remove(model: type[Model], column: str, ids: list[str]) -> None:
    rows: Any = model._default_manager.filter(**{f"{column}__in": ids})
    rows._raw_delete(rows.db)


def _clear_scenery() -> None:
    _clear_empty_batches()
    Schedule.objects.filter(created_by=MARK).delete()
    WorkerSession.objects.filter(cluster=MARK).delete()
    Task.objects.filter(pk__in=IDS).delete()
    errors = list(ErrorGroup.objects.filter(task_id__in=IDS).values_list("pk", flat=True))
    for model in (ErrorCount, ErrorEvent, ErrorGroup):
        _remove(model, "fingerprint", errors)
    used = Run.objects.filter(queue__in=QUEUE_NAMES).values_list("queue", flat=True).distinct()
    ours = Queue.objects.filter(name__in=set(QUEUE_NAMES) - set(used))
    Bucket.objects.filter(queue__in=ours).delete()
    ours.delete()


def _clear_empty_batches() -> None:
    """Batches of the shop whose runs retention took before."""
    shop = [f'["{task_id}"]' for task_id in IDS]
    has_run = Exists(Run.objects.filter(batch_id=OuterRef("pk")))
    Batch.objects.filter(~has_run, tasks__in=shop, actor=BATCH_ACTOR).delete()


def settle() -> None:
    """Fresh statistics: the planner should know what is there now."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA optimize")

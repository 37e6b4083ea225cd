"""Batches: many runs by one trigger, all or none, under an id of their own (features.md section 10)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from runs.errors import InvalidOption
from runs.lifecycle import checks
from runs.lifecycle.keys import hash_of
from runs.lifecycle.options import IDEMPOTENCY_TTL, Triggered, TriggerItem
from runs.lifecycle.triggering import trigger_many
from runs.models import Batch, Source
from runs.reads import batches as reads

LONGEST_KEY = 2048
#: A list of tasks is for people; beyond this many it says enough.
MOST_TASKS = 100


@dataclass(frozen=True, slots=True)
class Batched:
    """The batch that answers a trigger and its runs in input order; `is_cached`: its key found it."""

    batch_id: str
    runs: list[Triggered]
    is_cached: bool = False


def trigger(
    items: Sequence[TriggerItem],
    batch_id: str,
    *,
    key: str | None = None,
    key_ttl: float = IDEMPOTENCY_TTL,
    source: Source,
    actor: str = "",
    validated: bool = False,
) -> Batched:
    """Make the runs of a batch, all or none; with a `key`, once until that expires.

    A batch of that id may be there: a body that is tried again makes what is missing of its own.
    Raises what `trigger_many` raises.
    """
    row = _planned(items, batch_id, source, actor)
    if key is not None:
        put_under(row, key, key_ttl)
    with transaction.atomic():
        is_new = added(row)
        if not is_new and row.key_hash is not None:
            return _found(row)
        members = [replace(one, options=replace(one.options, batch_id=batch_id)) for one in items]
        made = trigger_many(members, source=source, actor=actor, validated=validated)
        _note(batch_id, made, is_new=is_new)
    return Batched(batch_id, made)


def _planned(items: Sequence[TriggerItem], batch_id: str, source: Source, actor: str) -> Batch:
    tasks = sorted({item.task_id for item in items})
    return Batch(
        id=batch_id,
        run_count=len(items),
        tasks=json.dumps(tasks[:MOST_TASKS]),
        awaited=any(item.options.awaited for item in items),
        run_id=next((item.options.parent_id for item in items), None),
        source=source,
        actor=actor,
        created_at=timezone.now(),
    )


def put_under(row: Batch, key: str, ttl: float) -> None:
    """The key is to find the batch for so many seconds. Raises InvalidOption."""
    checks.text("idempotency_key", key, LONGEST_KEY)
    if not 0 <= ttl <= checks.FAR_FUTURE:
        raise InvalidOption("idempotency_key_ttl", "idempotency_key_ttl is 0 to 100 years.")
    row.idempotency_key, row.key_hash = key, hash_of(key)
    row.idempotency_expires_at = row.created_at + timedelta(seconds=ttl)


def _found(row: Batch) -> Batched:
    """The batch that has the key already."""
    found = Batch.objects.filter(key_hash=row.key_hash).first()
    if found is None:
        raise InvalidOption("batch_id", f"There is a batch {row.pk} already.")
    runs = [Triggered(run_id, is_cached=True) for run_id in reads.run_ids(found)]
    return Batched(found.pk, runs, is_cached=True)


def added(row: Batch) -> bool:
    """Store it; False where its id or its key is there. Waits for a twin that has not committed."""
    if row.key_hash is not None:
        same = Batch.objects.filter(key_hash=row.key_hash)
        over = Q(idempotency_expires_at__lte=row.created_at) | Q(seals_by__lte=row.created_at)
        same.filter(over).update(key_hash=None)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _note(batch_id: str, made: Sequence[Triggered], *, is_new: bool) -> None:
    stored = Batch.objects.filter(pk=batch_id)
    if not is_new:
        stored.update(run_count=F("run_count") + sum(not run.is_cached for run in made))
        return
    found = [[index, run.run_id] for index, run in enumerate(made) if run.is_cached]
    if found:
        stored.update(found=json.dumps(found))

"""Many triggers, one run: each puts it off until they stop (features.md 7.3)."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from runs.debounce import TRAILING, Debounce
from runs.lifecycle import overlapping
from runs.lifecycle.keys import hashed
from runs.lifecycle.options import TriggerItem
from runs.lifecycle.rows import Plan
from runs.models import NEVER, Debounced, Idempotency, Ready, Run, RunTag
from runs.states import RunStatus

#: A run that still waits for its first start.
OPEN = (RunStatus.DELAYED, RunStatus.PENDING_VERSION)
#: What the last trigger decides in trailing mode; the rest is as the first one asked.
TAKEN_OVER = ("metadata", "seed_metadata", "tags", "max_attempts", "max_duration", "machine")
#: Putting a run off by less is not worth a write.
STEP = timedelta(seconds=1)
BATCH = 500


def join(item: TriggerItem, plan: Plan, run_id: str) -> str | None:
    """The run that was put off by this trigger; None when it is to make the run `run_id`.

    Locks the key until the caller's transaction ends, so that of several callers only one makes
    a run.
    """
    debounce = item.options.debounce
    assert debounce is not None
    place = {"task_id": item.task_id, "key_hash": hashed(debounce.key)}
    row = _locked(place)
    run = Run.objects.light().filter(pk=row.run_id).first() if row.run_id else None
    if run is not None and _put_off(run, debounce, item, plan):
        return str(run.pk)
    Debounced.objects.filter(pk=row.pk).update(run_id=run_id)
    return None


def _locked(place: dict[str, str]) -> Debounced:
    while True:
        Debounced.objects.get_or_create(task_id=place["task_id"], key_hash=place["key_hash"])
        row = Debounced.objects.select_for_update().filter(**place).first()
        if row is not None:  # housekeeping may have removed it in between
            return row


def _put_off(run: Run, debounce: Debounce, item: TriggerItem, plan: Plan) -> bool:
    """False when it can be put off no longer. The ready row first, as promotions lock them."""
    assert plan.due is not None
    if run.status not in OPEN or _is_late(run, debounce, plan.due):
        return False
    changes: dict[str, Any] = {"updated_at": timezone.now()}
    if run.delay_until is None or plan.due - run.delay_until >= STEP:
        sort_key = int((plan.due.timestamp() - run.priority) * 1_000_000)
        changes |= {"delay_until": plan.due, "sort_key": sort_key}
        waiting = Ready.objects.filter(pk=run.pk, not_before__lt=NEVER)
        moved = waiting.update(not_before=plan.due, sort_key=sort_key)
        if run.status == RunStatus.DELAYED and not moved and not overlapping.is_held(run):
            return False  # its delay has just passed
    if debounce.mode == TRAILING:
        changes |= {"payload": item.payload} | {name: plan.row[name] for name in TAKEN_OVER}
    if not Run.objects.filter(pk=run.pk, status=run.status).update(**changes):
        return False
    if debounce.mode == TRAILING and sorted(run.tag_list) != plan.tags:
        _retag(run.pk, plan.tags)
    return True


def _is_late(run: Run, debounce: Debounce, due: datetime) -> bool:
    longest = debounce.max_delay
    return longest is not None and due > run.created_at + timedelta(seconds=longest)


def _retag(run_id: str, tags: list[str]) -> None:
    RunTag.objects.filter(run_id=run_id).delete()
    RunTag.objects.bulk_create([RunTag(run_id=run_id, tag=tag) for tag in tags])


def share_key(run_id: str, holder: str) -> None:
    """An idempotency key that was claimed for `run_id`, which is not made, leads to `holder`."""
    Idempotency.objects.filter(run_id=run_id).update(run_id=holder)


@transaction.atomic
def prune_debounced() -> int:
    """Forget keys whose run cannot be put off any more. Returns how many."""
    waiting = Run.objects.filter(pk=OuterRef("run_id"), status__in=OPEN)
    done = Debounced.objects.filter(~Exists(waiting)).values_list("pk", flat=True)[:BATCH]
    locked = Debounced.objects.select_for_update().filter(pk__in=list(done))
    ids = [row.pk for row in locked]
    return Debounced.objects.filter(~Exists(waiting), pk__in=ids).delete()[0]

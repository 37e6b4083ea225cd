"""WAITING runs that nobody will wake: found, and woken with an event that says why.

A wait ends in the transaction that ends what it waits for, so this finds nothing unless rows were
changed by hand or restored apart. It is the net below, never the way waits end.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from runs import signals
from runs.errors import UnknownQueue
from runs.lifecycle import definitions, store
from runs.lifecycle.moving import SYSTEM, open_bucket
from runs.lifecycle.transition import note
from runs.models import NEVER, EventKind, Ready, Run, Waiter, Waitpoint
from runs.states import OPEN, RunStatus, TokenStatus

#: Waiting runs looked at in one go.
BATCH = 1000
#: A wait that is over for so long has been forgotten; before that it may stand in line.
GRACE = timedelta(minutes=5)


class Mended(NamedTuple):
    """Which runs were mended, and after which id to go on; empty at the end."""

    run_ids: list[str]
    after: str


def mend_waiting(after: str = "") -> Mended:
    """Wake the runs nobody will wake, among the next waiting ones with an id above `after`."""
    waiting = Run.objects.filter(status=RunStatus.WAITING, pk__gt=after).order_by("pk")
    ids = list(waiting.values_list("pk", flat=True)[:BATCH])
    found = [run_id for run_id in sorted(_suspects(ids)) if _mend(run_id)]
    return Mended(found, ids[-1] if len(ids) == BATCH else "")


def _suspects(ids: list[str]) -> set[str]:
    """Runs with something wrong at first sight; looked at again under their lock."""
    due = dict(Ready.objects.filter(pk__in=ids).values_list("pk", "not_before"))
    edges: dict[str, list[bool]] = {}
    for run_id, is_open in _edges(ids):
        edges.setdefault(run_id, []).append(is_open)
    late = timezone.now() - GRACE
    return {
        run_id
        for run_id in ids
        if run_id not in due
        or not all(edges.get(run_id, ()))
        or _is_forgotten(due[run_id], run_id in edges, late)
    }


def _edges(ids: list[str]) -> list[tuple[str, bool]]:
    """Who waits, and whether what for may still end: one statement, so that both are of one moment."""
    run = Run.objects.filter(pk=OuterRef("target"), status__in=OPEN)
    token = Waitpoint.objects.filter(pk=OuterRef("target"), status=TokenStatus.WAITING)
    edges = Waiter.objects.filter(run_id__in=ids).annotate(is_open=Exists(run) | Exists(token))
    return list(edges.values_list("run_id", "is_open"))


def _is_forgotten(due: datetime | None, has_edges: bool, late: datetime) -> bool:
    return due is None or due <= late or (due >= NEVER and not has_edges)


@transaction.atomic
def _mend(run_id: str) -> bool:
    """Under the lock of the ready row, which everybody takes who wakes a run."""
    ready = Ready.objects.select_for_update().filter(pk=run_id).first()
    waiting = Run.objects.light().filter(pk=run_id, status=RunStatus.WAITING)
    if ready is None:
        # It may have begun to wait only after the look at its place: no more now, and so once more.
        waiting = waiting.select_for_update(no_key=True)
    run = waiting.first()
    if run is None or (ready is None and Ready.objects.filter(pk=run_id).exists()):
        return False
    reason = "It had lost its place in the queue." if ready is None else _why(ready)
    if not reason:
        return False
    if ready is None and not _placed(run):
        return False
    note(
        run_id,
        EventKind.REPAIRED,
        RunStatus.WAITING,
        actor=SYSTEM,
        reason=f"{reason} It goes on.",
        attempt=run.waited_attempt,
    )
    Ready.objects.filter(pk=run_id, not_before__isnull=True).update(not_before=NEVER)
    store.current().resume([run_id])
    transaction.on_commit(lambda: signals.runs_ready.send(sender=Run))
    return True


def _why(ready: Ready) -> str:
    """Why nobody will wake the run; empty where somebody will. Forgets targets that have ended."""
    edges = Waiter.objects.filter(run_id=ready.pk)
    open_ones = [is_open for _, is_open in _edges([ready.pk])]
    if open_ones and (not any(open_ones) or (not all(open_ones) and _one_suffices(ready.pk))):
        return "What it waited for had ended without waking it."
    if not all(open_ones):
        _forget_ended(ready.pk)
    late = timezone.now() - GRACE
    if ready.not_before is None or ready.not_before <= late:
        return "Its time had come, and nobody had woken it."
    if ready.not_before >= NEVER and not edges.exists():
        return "Nothing was left that could wake it."
    return ""


def _one_suffices(run_id: str) -> bool:
    return Waiter.objects.filter(run_id=run_id, one_suffices=True).exists()


def _forget_ended(run_id: str) -> None:
    """Edges to what has ended go; the run still waits for the others."""
    run = Run.objects.filter(pk=OuterRef("target"), status__in=OPEN)
    token = Waitpoint.objects.filter(pk=OuterRef("target"), status=TokenStatus.WAITING)
    ended = Waiter.objects.filter(~Exists(run), ~Exists(token), run_id=run_id)
    Waiter.objects.filter(
        run_id=run_id, target__in=list(ended.values_list("target", flat=True))
    ).delete()


def _placed(run: Run) -> bool:
    """Give it back its place; False where its queue is gone."""
    try:
        queue_id = definitions.queue_id(run.queue, task_id=run.task_id)
    except UnknownQueue:
        return False
    bucket = open_bucket(queue_id, run.concurrency_key)
    Ready.objects.create(
        run_id=run.pk, bucket_id=bucket.pk, sort_key=run.sort_key, not_before=NEVER, lane=run.lane
    )
    return True

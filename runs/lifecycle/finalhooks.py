"""Final hooks of runs that ended where nobody could call them (DEC-25).

A trigger writes the row in the transaction of the ending. Workers take rows, call the hooks, and
remove them: at least once, and whatever they do, the run stays as it ended.
"""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet
from django.utils import timezone

from runs import conf
from runs.lifecycle import fleet
from runs.lifecycle.fleet import Fleet
from runs.lifecycle.store import Assignment, Claim
from runs.lifecycle.transition import note, skip_locked
from runs.models import EventKind, FinalHooks, Run, WorkerSession

#: Whoever dies with the hooks in its hands leaves them to others so many times.
MOST_TRIES = 5
#: Seconds until hooks are tried again whose process died: this, then twice it, and so on.
FIRST_PAUSE = 2.0
#: Seconds a worker may take beyond its limit before the hooks count as lost.
SLACK = 15.0
#: How often, and for how long, hooks wait for a version of the code that has their task.
OTHER_VERSION, OTHER_VERSION_WITHIN = 60.0, timedelta(days=1)


def next_due(version: str = "") -> datetime | None:
    """When the next final hooks are due that this version of the code may call; None for none."""
    due = earliest(FinalHooks.objects.all())
    if due is None or due > timezone.now():
        return due
    return earliest(callable_by(version))


def earliest(rows: QuerySet[FinalHooks]) -> datetime | None:
    due: datetime | None = rows.aggregate(due=Min("due_at"))["due"]
    return due


def callable_by(version: str) -> QuerySet[FinalHooks]:
    """Those of all runs but of the ones whose own version another cluster runs (DEC-31)."""
    rows, elsewhere = FinalHooks.objects.all(), Q()
    for other in Fleet.now().sessions if version else ():
        if other.version != version:
            lacking = set(other.lacking.split("\n")) - fleet.paused()
            elsewhere |= Q(version=other.version) & ~Q(task_id__in=lacking)
    return (
        rows.exclude(Exists(Run.objects.filter(elsewhere, pk=OuterRef("pk"))))
        if elsewhere
        else rows
    )


def take(most: int, version: str = "") -> list[Claim]:
    """Final hooks of up to `most` runs, for as long as calling them may take.

    A run's hooks are called by its own version of the code while a cluster runs that, else by any.
    """
    now = timezone.now()
    patience = conf.get("FINAL_HOOKS_SECONDS") + conf.get("TIMEOUT_GRACE_SECONDS") + SLACK
    with transaction.atomic():
        due = callable_by(version).filter(due_at__lte=now).order_by("due_at")
        rows = list(due.select_for_update(**skip_locked())[:most])
        for row in rows:
            row.due_at = now + timedelta(seconds=patience)
            row.tries, row.token = row.tries + 1, str(uuid.uuid4())
            row.save(update_fields=["due_at", "tries", "token"])
        numbers = dict(
            Run.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", "attempt_number")
        )
    return [Claim(row.pk, row.token, numbers.get(row.pk, 0)) for row in rows]


def ended_run(run_id: str, token: str) -> tuple[Assignment, Run] | None:
    """The run whose final hooks `token` took, as its last attempt knew it; None if lost or gone."""
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        _taken(run_id, token).delete()
        return None
    if not _taken(run_id, token).exists():
        return None
    # what only a lease has is False
    facts: dict[str, Any] = {name: getattr(run, name, False) for name in Assignment._fields}
    attempt = run.attempt_number
    started = run.started_at or run.created_at
    facts |= {"run_id": run_id, "token": token, "attempt": attempt, "started_at": started}
    return Assignment(**facts), run


@transaction.atomic
def done(run_id: str, token: str, session_id: str, called: Sequence[str], problems: str) -> bool:
    """The hooks were called; False when another worker has taken them meanwhile."""
    if not _taken(run_id, token).delete()[0]:
        return False
    said = " ".join(filter(None, [_by_whom(run_id, session_id), problems]))
    _tell(run_id, EventKind.HOOKS_RAN, session_id, said, {"hooks": list(called)})
    return True


def _by_whom(run_id: str, session_id: str) -> str:
    """What to say of code that is not the run's own."""
    own = Run.objects.filter(pk=run_id).values_list("version", flat=True).first()
    here = WorkerSession.objects.filter(pk=session_id).values_list("version", flat=True).first()
    if not own or not here or own == here:
        return ""
    return f"Version {here} called them instead of {own}."


@transaction.atomic
def lose(run_id: str, token: str, reason: str, session_id: str, *, blame: bool = True) -> bool:
    """The process that called them died: try again later, or leave it. False if they were not taken.

    Without `blame` its cluster was stopped, and no try is used up.
    """
    row = _taken(run_id, token).select_for_update().first()
    if row is None:
        return False
    if not blame:
        postpone(run_id, token)
        return True
    if row.tries >= MOST_TRIES:
        row.delete()
        _tell(run_id, EventKind.HOOKS_FAILED, session_id, reason, {"tries": row.tries})
        return True
    pause = FIRST_PAUSE * 2 ** (row.tries - 1)
    row.due_at, row.token = timezone.now() + timedelta(seconds=pause), ""
    row.save(update_fields=["due_at", "token"])
    return True


def postpone(run_id: str, token: str, seconds: float = 0.0) -> None:
    """Leave them to others, in so many seconds; no try is used up."""
    due = timezone.now() + timedelta(seconds=seconds)
    _taken(run_id, token).update(due_at=due, tries=F("tries") - 1, token="")


@transaction.atomic
def wait_for_version(run: Run, token: str, reason: str, session_id: str) -> None:
    """This version of the code has no such task: wait for one that has, for a day."""
    if run.finished_at is not None and timezone.now() - run.finished_at < OTHER_VERSION_WITHIN:
        postpone(run.pk, token, OTHER_VERSION)
    elif _taken(run.pk, token).delete()[0]:
        _tell(run.pk, EventKind.HOOKS_FAILED, session_id, reason, {})


def _taken(run_id: str, token: str) -> QuerySet[FinalHooks]:
    return FinalHooks.objects.filter(pk=run_id, token=token)


def _tell(run_id: str, kind: EventKind, session_id: str, reason: str, data: dict[str, Any]) -> None:
    run = Run.objects.filter(pk=run_id).only("status", "attempt_number").first()
    if run is not None:
        note(
            run_id,
            kind,
            run.status,
            actor=f"session:{session_id}",
            reason=reason,
            data=json.dumps(data),
            attempt=run.attempt_number,
        )

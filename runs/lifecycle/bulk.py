"""Canceling or replaying many runs: asked for once, done in the background (features.md section 25).

A process has an action for a while, and does some of its runs at a time. Where it dies between doing
and noting, the next one does the same runs again: a run this action canceled counts as done, and a
replay is found by the action's id.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from runs import signals
from runs.errors import InvalidOption, NotFound, RunsError
from runs.ids import new_id
from runs.lifecycle import audit, bulkends, bulkreasons, canaries, checks
from runs.lifecycle.bulkoptions import PLAIN, BulkOptions
from runs.lifecycle.bulkverbs import VERBS, Verb, reason_of
from runs.lifecycle.canceling import cancel
from runs.lifecycle.keys import hashed
from runs.lifecycle.purging import cancel_unstarted
from runs.models import AlertChannel, BulkAction, BulkKind, BulkRun, BulkStatus, Run
from runs.models.run import RunQuerySet
from runs.reads.deadline import deadline
from runs.reads.runfilter import RunFilter

#: Runs named one by one.
MOST_RUNS = 500
LONGEST_NAME = 255
RUN_ID = re.compile(r"run_[0-9a-z]{1,26}", re.ASCII)
#: Seconds a filter may take to be counted.
PATIENCE = 2.0
#: Runs done between two notes of how far it is.
PAGES = {BulkKind.CANCEL: 100, BulkKind.REPLAY: 10, BulkKind.TAG: 50, BulkKind.PRIORITY: 50}
PAGES |= {BulkKind.KEY: 50}
#: Turns a minute in which one that is to go slowly does something.
TURNS = 20
#: How long a process has an action to itself; one that died loses it then.
CLAIMED = timedelta(seconds=60)


class Outcome(NamedTuple):
    """What became of one run; `touched` is the one the action touched, or None where it failed."""

    run_id: str
    touched: str | None
    problem: str = ""


def begin_bulk(
    kind: BulkKind,
    chosen: Sequence[str] | RunFilter,
    *,
    name: str = "",
    actor: str,
    request_key: str = "",
    options: BulkOptions = PLAIN,
    reason: str = "",
    notify: AlertChannel | None = None,
) -> BulkAction:
    """Have all these runs canceled, replayed, tagged or moved, as many as there are now.

    A request that is sent again, by its `request_key`, begins nothing: the first one's is the answer.
    Raises InvalidOption, and TooSlow for a filter that takes too long to count.
    """
    checks.text("name", name)
    options.check(kind)
    if len(name) > LONGEST_NAME:
        raise InvalidOption("name", f"name has at most {LONGEST_NAME} characters.")
    now, until = timezone.now(), new_id("run")
    if isinstance(chosen, RunFilter):
        selection: dict[str, Any] = {"filter": chosen.facts}
        with deadline(PATIENCE):
            total = chosen.runs().filter(pk__lt=until).count()
    else:
        runs = _checked(chosen)
        selection, total = {"runs": runs}, len(runs)
    options = options.paced(total)
    row = BulkAction(
        id=new_id("bulk"),
        kind=kind,
        name=name,
        selection=json.dumps(selection),
        until=until,
        total=total,
        actor=actor,
        created_at=now,
        options=options.text,
        reason=reason[:1000],
        notify=notify,
        canary=options.canary,
        not_before=now + timedelta(seconds=options.wait) if options.wait else None,
        status=BulkStatus.PENDING if total else BulkStatus.COMPLETED,
        completed_at=None if total else now,
        request_hash=hashed(request_key) if request_key else None,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            facts = {"options": row.options} if row.options else {}
            audit.record(
                actor,
                f"bulk.{kind.lower()}",
                row.pk,
                reason=reason,
                count=total,
                **selection,
                **facts,
            )
    except IntegrityError:
        return BulkAction.objects.get(request_hash=row.request_hash)
    return row


def _checked(chosen: Sequence[str]) -> list[str]:
    """Each once, in order. One that is nobody's is counted as failed later."""
    runs = sorted(set(chosen))
    if not 1 <= len(runs) <= MOST_RUNS:
        raise InvalidOption("runIds", f"runIds has 1 to {MOST_RUNS} ids, not {len(runs)}.")
    for run_id in runs:
        if RUN_ID.fullmatch(run_id) is None:
            raise InvalidOption("runIds", f"runIds: {run_id!r:.60} is no run's id.")
    return runs


def abort_bulk(action_id: str, *, actor: str) -> BulkAction:
    """Touch no more runs; those that were touched stay as they are. An ended one stays. NotFound."""
    open_ones = (BulkStatus.PENDING, BulkStatus.PAUSED)
    return _turned(action_id, open_ones, BulkStatus.ABORTED, "bulk.abort", actor)


def pause_bulk(action_id: str, *, actor: str) -> BulkAction:
    """Touch no run until it is resumed. One that does not go on stays as it is. Raises NotFound."""
    return _turned(action_id, (BulkStatus.PENDING,), BulkStatus.PAUSED, "bulk.pause", actor)


def resume_bulk(action_id: str, *, actor: str) -> BulkAction:
    """Go on with a paused one, whatever became of its first replays. Raises NotFound."""
    return _turned(action_id, (BulkStatus.PAUSED,), BulkStatus.PENDING, "bulk.resume", actor)


def _turned(
    action_id: str, before: Sequence[BulkStatus], after: BulkStatus, verb: str, actor: str
) -> BulkAction:
    ended = timezone.now() if after == BulkStatus.ABORTED else None
    with transaction.atomic():
        rows = BulkAction.objects.filter(pk=action_id, status__in=before)
        if rows.update(status=after, completed_at=ended):
            audit.record(actor, verb, action_id)
    return found(action_id)


def found(action_id: str) -> BulkAction:
    """Raises NotFound."""
    row = BulkAction.objects.filter(pk=action_id).first()
    if row is None:
        raise NotFound(f"There is no bulk action {action_id[:60]}.")
    return row


def go_on_in_bulk() -> int:
    """Do the next runs of the oldest action nobody works on. Returns how many; 0 when there is none."""
    row = _claimed(timezone.now())
    if row is None:
        return 0
    if not canaries.let_pass(row):
        return 1
    ids = _next(row)
    outcomes = list(_done(row, ids))
    _note(row, ids, outcomes)
    return max(1, len(ids))


def is_bulk_open() -> bool:
    """Whether an action has runs to do, now or later."""
    return BulkAction.objects.filter(completed_at=None, status=BulkStatus.PENDING).exists()


def _claimed(now: datetime) -> BulkAction | None:
    free = BulkAction.objects.filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lte=now),
        Q(not_before__isnull=True) | Q(not_before__lte=now),
        completed_at__isnull=True,
        status=BulkStatus.PENDING,
    )
    row = free.order_by("pk").first()
    if row is None or not free.filter(pk=row.pk).update(claimed_until=now + CLAIMED):
        return None
    # as it is now that it is ours: somebody may have gone on since
    row.refresh_from_db()
    return row


def _size(row: BulkAction) -> int:
    """Runs to do before the next note."""
    size, options = PAGES[BulkKind(row.kind)], BulkOptions.of(row.options)
    if options.per_minute:
        size = min(size, max(1, int(options.per_minute // TURNS)))
    left = row.canary - row.success - row.failure
    return min(size, left) if left > 0 else size


def _next(row: BulkAction) -> list[str]:
    size = _size(row)
    down = BulkOptions.of(row.options).newest_first
    if "runs" in row.chosen:
        ids: list[str] = row.chosen["runs"][::-1] if down else row.chosen["runs"]
        return ids[ids.index(row.after) + 1 if row.after else 0 :][:size]
    first, end = ("", row.after or row.until) if down else (row.after, row.until)
    runs: RunQuerySet = RunFilter.of(row.chosen["filter"]).runs()
    left = runs.filter(pk__gt=first, pk__lt=end).order_by("-pk" if down else "pk")
    return list(left.values_list("pk", flat=True)[:size])


def _done(row: BulkAction, ids: Sequence[str]) -> Iterator[Outcome]:
    if row.kind == BulkKind.CANCEL:
        return _canceled(row, ids)
    options, verb = BulkOptions.of(row.options), VERBS[BulkKind(row.kind)]
    return (_one(row, verb, options, run_id) for run_id in ids)


def _one(row: BulkAction, verb: Verb, options: BulkOptions, run_id: str) -> Outcome:
    try:
        return Outcome(run_id, verb(row, options, run_id))
    except RunsError as error:
        return Outcome(run_id, None, str(error))


def _canceled(row: BulkAction, ids: Sequence[str]) -> Iterator[Outcome]:
    """Those that were never started together, the others one by one."""
    reason = reason_of(row)
    waiting = list(Run.objects.filter(pk__in=ids, awaited=False).values_list("pk", flat=True))
    cancel_unstarted(waiting, row.actor, reason)
    for run_id in ids:
        try:
            run = cancel(run_id, actor=row.actor, reason=reason)
        except RunsError as error:
            yield Outcome(run_id, None, str(error))
            continue
        if run.reason == reason:
            yield Outcome(run_id, run_id)
        else:
            was = run.status if run.is_final else "being canceled"
            yield Outcome(run_id, None, f"It was {was} already.")


@transaction.atomic
def _note(row: BulkAction, ids: Sequence[str], outcomes: Iterable[Outcome]) -> None:
    """How far it is, unless somebody else was faster.

    One that was aborted meanwhile stays so, with what was done before this process heard of it.
    """
    touched = [one.touched for one in outcomes if one.touched is not None]
    problems = [(one.run_id, one.problem) for one in outcomes if one.problem]
    options = BulkOptions.of(row.options)
    mine = BulkAction.objects.filter(pk=row.pk)
    noted = mine.filter(after=row.after, claimed_until=row.claimed_until).update(
        success=F("success") + len(touched),
        failure=F("failure") + len(problems),
        after=ids[-1] if ids else row.after,
        problem=": ".join(problems[-1])[:1000] if problems else row.problem,
        reasons=bulkreasons.added(row.reasons, problems),
        not_before=options.next_after(len(ids), row.not_before, timezone.now()),
        claimed_until=None,
    )
    if not noted:
        return
    BulkRun.objects.bulk_create(
        (BulkRun(action_id=row.pk, run_id=run_id) for run_id in touched), ignore_conflicts=True
    )
    if len(ids) < _size(row):
        ended = mine.filter(status=BulkStatus.PENDING).update(
            status=BulkStatus.COMPLETED, completed_at=timezone.now()
        )
        if ended:
            bulkends.tell(row.pk)
    if row.kind == BulkKind.CANCEL and touched:
        transaction.on_commit(lambda: signals.runs_ready.send(sender=Run))

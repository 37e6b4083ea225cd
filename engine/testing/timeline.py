"""What falls due when, and what keeps a run from going on."""

from datetime import datetime
from typing import Any

from django.db.models import Min

from engine.sdk.tokens import Token, token_id
from engine.testing.enrolment import why_unknown
from engine.testing.problems import TracksideError
from engine.testing.records import RecordedRun
from runs import lifecycle
from runs.lifecycle import finalhooks, firing
from runs.models import Queue as QueueRow
from runs.models import Ready, Run, Waiter, Waitpoint
from runs.states import RunStatus, TokenStatus


def promote() -> None:
    """The clock's doing: what is due by now becomes claimable, expires, times out, fires."""
    lifecycle.promote_due()
    lifecycle.expire_due()
    lifecycle.time_out_due()
    lifecycle.expire_overrides()
    lifecycle.fire_due()


def next_timeout() -> datetime | None:
    """When the next open token times out."""
    open_tokens = Waitpoint.objects.filter(status=TokenStatus.WAITING)
    found: datetime | None = open_tokens.aggregate(due=Min("timeout_at"))["due"]
    return found


def next_retry() -> datetime | None:
    """When the next attempt is due."""
    waiting = Run.objects.filter(status=RunStatus.QUEUED, attempt_number__gt=0)
    found: datetime | None = waiting.aggregate(due=Min("retry_at"))["due"]
    return found


def next_due() -> datetime | None:
    """When anything happens next without anybody's doing."""
    moments = (lifecycle.next_due(), next_timeout(), firing.look()[0], finalhooks.next_due())
    return min((moment for moment in moments if moment is not None), default=None)


def is_waiting(run: RecordedRun[Any]) -> bool:
    """Whether it waits for a time, a token or somebody who does; not for another attempt."""
    retry = next_retry()
    return run.status == RunStatus.WAITING and (retry is None or retry != next_due())


def next_jump(run: RecordedRun[Any]) -> datetime:
    """Where to move the clock so that the run goes on. Raises TracksideError where nothing helps."""
    due, timeout = next_due(), next_timeout()
    if due is None or due == timeout:
        raise TracksideError(f"{run!r} does not go on. {advice()}")
    return due


def advice() -> str:
    """What it waits for, and what to do about it."""
    waited_for = set(Waiter.objects.values_list("target", flat=True))
    found = Waitpoint.objects.filter(status=TokenStatus.WAITING, pk__in=waited_for).order_by("id")
    if token := found.first():
        late = "" if token.timeout_at is None else " To let it time out, clock.advance(...)."
        return (
            f'Wait token {token.pk} is not completed. Stop there with run(..., until="wait"), then '
            f"trackside.complete(run, data) and trackside.finish(run).{late}"
        )
    parked = Run.objects.filter(status=RunStatus.PENDING_VERSION).values_list("task_id", flat=True)
    if parked:
        return why_unknown(parked[0])
    paused = QueueRow.objects.filter(paused=True).values_list("name", flat=True)
    if paused:
        return f"These queues are paused: {', '.join(sorted(paused))}."
    held = Ready.objects.filter(not_before__isnull=True).values_list("run_id", flat=True)
    if held:
        return "A queue has a concurrency limit of 0, so nothing of it starts."
    return "Nothing in this test will wake it."


def token_of(given: Token | RecordedRun[Any] | str) -> str:
    """The id of a token: itself, or the one a run waits for. Raises TracksideError."""
    if not isinstance(given, RecordedRun):
        return token_id(given)
    targets = Waiter.objects.filter(run_id=given.id, target__startswith="waitpoint_")
    found = sorted(targets.values_list("target", flat=True))
    if len(found) != 1:
        raise TracksideError(
            f"{given!r} waits for {len(found)} tokens, not for one. Name the token: its id, or what "
            "wait.create_token() returned."
        )
    return found[0]

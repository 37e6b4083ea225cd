"""The guarded write behind every move that no lease is needed for."""

from typing import Any

from django.utils import timezone

from runs.models import Event, EventKind, Run
from runs.states import FINAL, RunStatus, sources


def move(  # noqa: PLR0913  the event's facts travel with the move
    run_id: str,
    to: RunStatus,
    kind: EventKind,
    *,
    actor: str,
    reason: str = "",
    only_from: frozenset[RunStatus] | None = None,
    **changes: Any,
) -> bool:
    """Move a run to `to` if it still stands where that is allowed, and say so in its history.

    False, and nothing written, when somebody was first. Call inside a transaction.
    """
    now = timezone.now()
    if to in FINAL:
        changes["finished_at"] = now
    allowed = sources(to) & (only_from or sources(to))
    moved = Run.objects.filter(pk=run_id, status__in=allowed).update(
        status=to, reason=reason, updated_at=now, **changes
    )
    if moved:
        note(run_id, kind, to, actor=actor, reason=reason, at=now)
    return bool(moved)


def note(  # noqa: PLR0913  an event's facts
    run_id: str,
    kind: EventKind,
    status: str,
    *,
    actor: str,
    reason: str = "",
    data: str = "",
    attempt: int = 0,
    at: Any = None,
) -> None:
    """Append one event."""
    Event.objects.create(
        run_id=run_id,
        kind=kind,
        status=status,
        attempt=attempt,
        actor=actor,
        reason=reason,
        data=data,
        at=at or timezone.now(),
    )

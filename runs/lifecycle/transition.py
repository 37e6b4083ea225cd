"""The guarded write behind every move that no lease is needed for."""

from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from runs.models import Event, EventKind, Run
from runs.states import FINAL, RunStatus, sources

ANYWAY = Q()


def move(
    run_id: str,
    to: RunStatus,
    kind: EventKind,
    *,
    actor: str,
    reason: str = "",
    data: str = "",
    only_from: frozenset[RunStatus] | None = None,
    only_if: Q = ANYWAY,
    **changes: Any,
) -> bool:
    """Move a run to `to` if it still stands where that is allowed, and say so in its history.

    False, and nothing written, when somebody was first. Call inside a transaction.
    """
    now = timezone.now()
    if to in FINAL:
        changes["finished_at"] = now
    allowed = sources(to) & (only_from or sources(to))
    moved = Run.objects.filter(only_if, pk=run_id, status__in=allowed).update(
        status=to, reason=reason, updated_at=now, **changes
    )
    if moved:
        note(run_id, kind, to, actor=actor, reason=reason, data=data, at=now)
    return bool(moved)


def note(
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


def skip_locked() -> dict[str, Any]:
    """Arguments for `select_for_update` that never wait, where the database can."""
    return {"skip_locked": connection.features.has_select_for_update_skip_locked}

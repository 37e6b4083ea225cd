"""What makes a queue as it was before a verb: the fields of the form that does so."""

from typing import Any

from dashboard.pages.moments import written
from runs.models import Queue


def back(action: str, queue: Queue) -> dict[str, Any] | None:
    """`queue` is as it stood before; None where the verb will change nothing that can be undone."""
    if action in ("override", "reset"):
        return _limits(queue) if queue.is_overridden else {"action": "reset"}
    if action == "pause" and not queue.paused:
        return {"action": "resume"}
    if action == "resume" and queue.paused:
        return {"action": "pause", "reason": queue.paused_reason}
    return None


def _limits(queue: Queue) -> dict[str, Any]:
    """The override it had."""
    return {
        "action": "override",
        "limit": queue.override_limit,
        "total": queue.override_total,
        "rate": queue.override_rate,
        "expires_at": written(queue.override_expires_at),
        "reason": queue.override_reason,
    }

"""What makes an error group as it was before a decision: the fields of the form that does so."""

from typing import Any

from dashboard.pages.moments import written
from runs.models import ErrorGroup, GroupStatus


def back(action: str, group: ErrorGroup) -> dict[str, Any] | None:
    """`group` is as it stood before. A note is not taken back."""
    if action in ("assign", "take"):
        return {"action": "assign", "assignee": group.assignee, "seen": group.revision + 1}
    if action not in ("resolve", "ignore", "reopen"):
        return None
    return _status(group) | {"seen": group.revision + 1}


def _status(group: ErrorGroup) -> dict[str, Any]:
    if group.status == GroupStatus.RESOLVED:
        return {"action": "resolve", "version": group.resolved_in, "reason": group.reason}
    if group.status == GroupStatus.UNRESOLVED:
        return {"action": "reopen"}
    most = group.ignored_total
    return {
        "action": "ignore",
        "until": written(group.ignored_until),
        "rate": group.ignored_rate,
        "count": max(1, most - group.total) if most is not None else None,
        "reason": group.reason,
    }

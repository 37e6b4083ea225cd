"""Who did what."""

import json
from typing import Any

from runs.models import AuditLog


def record(actor: str, action: str, target: str, *, reason: str = "", **data: Any) -> None:
    """Append one row, in the transaction of what it tells about."""
    AuditLog.objects.create(
        actor=actor or "system",
        action=action,
        target=target[:300],
        reason=reason,
        data=json.dumps(data, default=str) if data else "",
    )

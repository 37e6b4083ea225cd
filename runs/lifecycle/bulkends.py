"""Telling somebody that a bulk action ended, or stopped by itself."""

from runs.lifecycle import alerts
from runs.models import BulkAction, BulkStatus


def tell(action_id: str) -> None:
    """A message to the channel that was chosen for it. In the transaction that ends it."""
    row = BulkAction.objects.select_related("notify").filter(pk=action_id).first()
    if row is None or row.notify is None or not row.notify.active:
        return
    name = row.name or f"{row.get_kind_display()} {row.total:,} run{'' if row.total == 1 else 's'}"
    line = {"text": f"{row.success:,} done, {row.failure:,} not", "path": f"/bulk/{row.pk}"}
    word = "ended" if row.status == BulkStatus.COMPLETED else "is paused"
    if row.status == BulkStatus.PAUSED and row.problem:
        line["text"] += f". {row.problem}"
    alerts.deliver(row.notify, None, {"title": f"{name}: {word}", "count": 1, "items": [line]})

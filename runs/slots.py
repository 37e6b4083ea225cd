"""Stretches of time that counts are kept for: short ones for a while, long ones for long."""

from datetime import UTC, datetime, timedelta

#: Seconds of a slot, and how long counts of such slots are kept.
SHORT, LONG, DAY = 300, 3600, 86_400
KEPT = {SHORT: timedelta(days=2), LONG: timedelta(days=15), DAY: timedelta(days=400)}


def slot(moment: datetime, span: int) -> datetime:
    """The beginning of the slot of `span` seconds a moment falls into."""
    return datetime.fromtimestamp(int(moment.timestamp()) // span * span, UTC)

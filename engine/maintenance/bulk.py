"""Bulk actions, some runs at a turn."""

from engine.maintenance.turns import for_a_turn
from runs import lifecycle

#: Seconds until the next turn after one that did something, and while an action waits for its time.
SOON, WAITING = 0.1, 0.5


def go_on_in_bulk() -> float | None:
    """Go on with the oldest bulk action; in how many seconds to look again, None for no hurry."""
    if for_a_turn(lifecycle.go_on_in_bulk):
        return SOON
    return WAITING if lifecycle.is_bulk_open() else None

"""Bulk actions, some runs at a turn."""

from engine.maintenance.turns import for_a_turn
from runs import lifecycle


def go_on_in_bulk() -> int:
    """Go on with the oldest bulk action; returns how many runs were its."""
    return for_a_turn(lifecycle.go_on_in_bulk)

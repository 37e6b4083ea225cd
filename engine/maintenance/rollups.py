"""Counting ahead what runs came to, for the pages."""

from engine.maintenance.turns import for_a_turn
from runs import lifecycle


def roll_up() -> int:
    """Go on counting; returns how many minutes."""
    return for_a_turn(lifecycle.roll_up)


def prune_rollups() -> int:
    """Remove what is older than it is kept; returns how many rows."""
    return for_a_turn(lifecycle.prune_rollups) + for_a_turn(lifecycle.prune_depths)

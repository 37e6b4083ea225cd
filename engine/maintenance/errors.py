"""Counting failures by the groups of their errors."""

from engine.maintenance.turns import for_a_turn
from runs.lifecycle import counting


def count_failures() -> int:
    """Bring groups up to date; returns how many failures were counted."""
    return for_a_turn(counting.count_failures)

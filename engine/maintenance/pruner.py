"""Removing old runs with everything that hangs on them."""

import logging
import time

from django.utils import timezone

from engine.maintenance.turns import for_a_turn
from runs import lifecycle
from runs.lifecycle import ages, keeping, retention

log = logging.getLogger("trackside")
#: Seconds between two passes over all old runs.
REST = 3600.0


class Pruner:
    """Goes from the newest old run to the oldest, some at each turn, and then rests."""

    def __init__(self) -> None:
        self.before, self.rests_until, self.passed = "", 0.0, 0
        self.kept: set[str] = set()

    def prune(self) -> int:
        """Remove what is old among the next runs; returns how many runs went."""
        if time.monotonic() < self.rests_until:
            return 0
        old = ages.ends(keeping.in_force(), timezone.now())
        if not old:
            return 0
        if not self.before:
            self.kept = retention.looked_at()
        gone = 0

        def step() -> int:
            nonlocal gone
            found = lifecycle.prune_runs(old, self.before, self.kept)
            gone, self.before = gone + found.gone, found.before
            return 1 if self.before else 0

        for_a_turn(step)
        self.passed += gone
        if not self.before:
            oldest = min(old.values())
            lifecycle.prune_bulk_actions(oldest)
            self.finish(lifecycle.prune_batches(oldest))
        return gone

    def finish(self, batches: int) -> None:
        """The pass is over."""
        if self.passed or batches:
            log.info("Removed %s old runs and %s batches.", self.passed, batches)
        self.passed, self.rests_until = 0, time.monotonic() + REST

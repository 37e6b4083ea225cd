"""Forgetting what became of fires long ago."""

import logging

from engine.maintenance.turns import for_a_turn
from runs import conf, lifecycle
from runs.lifecycle.retention import oldest_kept

log = logging.getLogger("trackside")


def prune_ticks() -> int:
    """Remove old ticks of schedules; returns how many."""
    before = oldest_kept(float(conf.get("TICK_RETENTION_DAYS")))
    if before is None:
        return 0
    count = for_a_turn(lambda: lifecycle.prune_ticks(before))
    if count:
        log.info("Removed %s fires of schedules from before %s.", count, f"{before:%Y-%m-%d %H:%M}")
    return count

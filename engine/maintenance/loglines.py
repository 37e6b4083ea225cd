"""Removing old log lines and spans: whole months at once where the database keeps them apart."""

import logging

from engine.maintenance.turns import for_a_turn
from runs import conf, lifecycle
from runs.lifecycle.retention import oldest_kept

log = logging.getLogger("trackside")


def prune_log_lines() -> int:
    """Remove what is older than the retention; returns how many months and single rows."""
    before = oldest_kept(float(conf.get("LOG_RETENTION_DAYS")))
    if before is None:
        return 0
    months = lifecycle.drop_months(before)
    if months:
        log.info("Dropped the log lines and spans of whole months: %s.", ", ".join(months))
    lines = for_a_turn(lambda: lifecycle.prune_lines(before))
    if lines:
        log.info(
            "Removed %s log lines and spans from before %s.", lines, f"{before:%Y-%m-%d %H:%M}"
        )
    return len(months) + lines

"""Forgetting idempotency keys that hold no more."""

import logging

from engine.maintenance.turns import for_a_turn
from runs import lifecycle

log = logging.getLogger("trackside")


def prune_keys() -> int:
    """Remove expired keys; returns how many."""
    count = for_a_turn(lifecycle.prune_keys)
    if count:
        log.info("Removed %s expired idempotency keys.", count)
    return count

"""Housekeeping: small duties every cluster does under row locks; there is no leader."""

import random
import time
from collections.abc import Callable

from engine.maintenance.errors import count_failures
from engine.maintenance.keys import prune_keys
from engine.maintenance.loglines import prune_log_lines
from engine.maintenance.mender import Mender
from engine.maintenance.pruner import Pruner
from engine.maintenance.reaper import Reaper
from engine.maintenance.rollups import prune_rollups, roll_up
from engine.maintenance.ticks import prune_ticks
from runs import conf, lifecycle
from runs.lifecycle import alerting, counting, fleet, regressing, versions

MINUTE, HOUR = 60.0, 3600.0


class Housekeeping:
    """Runs each duty when it is due; periods differ a little so that clusters take turns."""

    def __init__(self) -> None:
        sweep = float(conf.get("SWEEP_SECONDS"))
        self.duties: list[tuple[float, Callable[[], object]]] = [
            (sweep, Reaper().sweep),
            (min(sweep, 1.0), lifecycle.expire_due),
            (min(sweep, 1.0), lifecycle.cancel_due),
            (min(sweep, 1.0), lifecycle.delete_due),
            (min(sweep, 1.0), lifecycle.time_out_due),
            (min(sweep, 1.0), count_failures),
            (sweep, regressing.return_due),
            (sweep, lifecycle.expire_overrides),
            (sweep * 2, lifecycle.prune_buckets),
            (sweep * 2, lifecycle.settle_held),
            (sweep * 12, lifecycle.prune_debounced),
            (min(sweep, 1.0), versions.release_pins),
            (sweep, fleet.compare),
            (sweep * 12, lifecycle.unpark_forgotten),
            (sweep * 6, Mender().mend),
            (sweep, Pruner().prune),
            (sweep, roll_up),
            (sweep * 2, lifecycle.sample_depths),
            (MINUTE, prune_rollups),
            (min(sweep, 2.0), alerting.watch),
            (MINUTE, alerting.prune),
            (MINUTE, prune_keys),
            (MINUTE, prune_ticks),
            (MINUTE, prune_log_lines),
            (MINUTE, counting.prune_counts),
            (HOUR, lifecycle.open_months),
        ]
        self.due = [0.0] * len(self.duties)

    def run(self) -> None:
        for index, (period, duty) in enumerate(self.duties):
            if time.monotonic() >= self.due[index]:
                self.due[index] = time.monotonic() + period * random.uniform(0.8, 1.2)
                duty()

"""Taking back the runs of clusters that stopped answering."""

import time

from runs import conf
from runs.lifecycle import sessions

#: A sweep that comes this many seconds late, by one clock against the other, means a clock jumped.
JUMP = 5.0


class Reaper:
    """Sweeps only when silence can be believed.

    After an outage everybody's heartbeat is old, so a reaper waits until it has itself had the
    database for a whole lease, the server has been up that long, and the clocks agree.
    """

    def __init__(self) -> None:
        self.contact_since = self.last_sweep = time.monotonic()
        self.wall_offset = time.time() - time.monotonic()

    def sweep(self) -> int:
        """Take back what lost sessions hold; returns how many runs."""
        lease = float(conf.get("LEASE_SECONDS"))
        now = time.monotonic()
        age = sessions.database_age()
        offset = time.time() - now
        gap, self.last_sweep = now - self.last_sweep, now
        if gap > lease / 2 or abs(offset - self.wall_offset) > JUMP:
            self.contact_since, self.wall_offset = now, offset
        patient = now - self.contact_since >= lease and (age is None or age >= lease)
        return sessions.reap(expired=patient)

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
        self.offsets = self._offsets(self.last_sweep, None)

    def sweep(self) -> int:
        """Take back what lost sessions hold; returns how many runs."""
        lease = float(conf.get("LEASE_SECONDS"))
        now = time.monotonic()
        age = sessions.database_age()
        gap, self.last_sweep = now - self.last_sweep, now
        if gap > lease / 2 or self._has_jumped(now, age):
            self.contact_since = now
        patient = now - self.contact_since >= lease and (age is None or age >= lease)
        return sessions.reap(expired=patient)

    def _has_jumped(self, now: float, age: float | None) -> bool:
        """Whether the clock of this machine or that of the server went on otherwise than time did."""
        before, self.offsets = self.offsets, self._offsets(now, age)
        pairs = zip(before, self.offsets, strict=True)
        return any(
            old is not None and new is not None and abs(new - old) > JUMP for old, new in pairs
        )

    @staticmethod
    def _offsets(now: float, age: float | None) -> tuple[float, float | None]:
        return time.time() - now, None if age is None else age - now

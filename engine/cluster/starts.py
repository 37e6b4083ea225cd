"""Workers that end before they are ready: when the next try is, and without which task files."""

import logging
import os
import signal
import time
from collections import Counter, defaultdict

from engine.cluster.board import Ask, Slot, State
from engine.leftout import MEMORY, LeftOut, sentence

log = logging.getLogger("trackside")

#: Longest pause before a worker that keeps dying at its start is started again.
LONGEST_BACKOFF = 60.0
#: SIGKILL may come from anywhere: only so many within so many seconds are the file's own doing.
KILLS, RECENT = 3, 600.0


class Starts:
    """What the sentinel remembers of starts that failed."""

    def __init__(self, left_out: LeftOut) -> None:
        self.left_out = left_out
        self.due: dict[int, float] = {}
        self.failures: Counter[int] = Counter()
        self.kills: dict[str, list[float]] = defaultdict(list)

    def is_due(self, index: int) -> bool:
        """Whether the worker of this slot may be started now."""
        return time.monotonic() >= self.due.get(index, 0.0)

    def ended(self, index: int, slot: Slot, exitcode: int | None) -> None:
        """Plan the successor: at once, or after a pause that grows until something is found."""
        if slot.state != State.STARTING:
            self.failures[index], self.due[index] = 0, 0.0
            return
        self.failures[index] = 1 if self.blame(slot, exitcode) else self.failures[index] + 1
        pause = min(2.0 ** (self.failures[index] - 1), LONGEST_BACKOFF)
        self.due[index] = time.monotonic() + pause
        log.error("A worker ended before it was ready; the next try is in %.0f s.", pause)

    def blame(self, slot: Slot, exitcode: int | None) -> bool:
        """Leave out the file the worker was importing, if it was that file that ended it."""
        path = os.fsdecode(slot.importing)
        if not path or slot.killed not in (Ask.NOTHING, Ask.MEMORY):
            return False
        if exitcode == -signal.SIGKILL and not slot.killed and not self.is_killed_again(path):
            return False
        error = sentence(path, exitcode, MEMORY if slot.killed else "")
        self.left_out.add(path, error)
        log.error("%s", error)
        return True

    def is_killed_again(self, path: str) -> bool:
        now = time.monotonic()
        self.kills[path] = [then for then in self.kills[path] if now - then < RECENT] + [now]
        return len(self.kills[path]) >= KILLS

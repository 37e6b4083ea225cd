"""Long duties in short turns: they share a process with the cluster's heartbeat."""

import time
from collections.abc import Callable

#: Seconds of one turn.
TURN = 0.25


def for_a_turn(step: Callable[[], int]) -> int:
    """Repeat a step until it finds nothing or the turn is over; what all of them did."""
    end, done = time.monotonic() + TURN, 0
    while count := step():
        done += count
        if time.monotonic() >= end:
            break
    return done

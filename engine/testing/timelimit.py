"""The `max_duration` of the run that executes, on the clock of the test and in real time."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from engine.testing.clock import Clock
from runs.lifecycle import store

#: Ends what blocks, as it does in a worker.
ALARM = signal.SIGUSR1


class TimeLimit:
    """Tells the body that its time is over, when a pause leads there or the time really passes."""

    def __init__(self, clock: Clock, tell: Callable[[], None]) -> None:
        self._clock, self._tell = clock, tell
        self._due: datetime | None = None
        self._timer: threading.Timer | None = None

    @contextmanager
    def on(self, work: store.Assignment) -> Iterator[None]:
        """While a segment of this run executes."""
        before, self._due = self._due, self._due_of(work)
        try:
            with heard(self._ring):
                self._arm()
                yield
        finally:
            self._disarm()
            self._due = before

    def _due_of(self, work: store.Assignment) -> datetime | None:
        if not work.max_duration:
            return None
        # all segments of an attempt count, its waits do not (DEC-27)
        used = store.current().used(work.run_id, work.attempt) if work.resumed else 0.0
        return self._clock.now() + timedelta(seconds=max(work.max_duration - used, 0.0))

    def pass_by(self, seconds: float | None) -> bool:
        """A pause of the body passes, up to the end of its time; False: it would not end."""
        now, due = self._clock.now(), self._due
        if seconds is None and due is None:
            return False
        longest = timedelta.max if seconds is None else timedelta(seconds=seconds)
        if due is not None and due - now <= longest:
            self._clock.jump(due)
            self._end()
        else:
            self._clock.jump(now + longest)
            self._arm()
        return True

    def _end(self) -> None:
        self._due = None
        self._disarm()
        self._tell()

    def _ring(self) -> None:
        if self._due is not None and self._clock.now() >= self._due:
            self._end()

    def _arm(self) -> None:
        self._disarm()
        if self._due is None or not is_main():
            return
        left = max((self._due - self._clock.now()).total_seconds(), 0.0) + 0.001
        if left < threading.TIMEOUT_MAX:
            ident = threading.get_ident()
            self._timer = threading.Timer(left, lambda: signal.pthread_kill(ident, ALARM))
            self._timer.daemon = True
            self._timer.start()

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            timer.join()


def is_main() -> bool:
    """Only there a signal is heard."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def heard(ring: Callable[[], None]) -> Iterator[None]:
    """`ring` is called for the alarm, between any two instructions of the body."""
    if not is_main():
        yield
        return
    before = signal.signal(ALARM, lambda _number, _frame: ring())
    try:
        yield
    finally:
        signal.signal(ALARM, before)

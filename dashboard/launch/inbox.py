import os
import select
import signal
from types import FrameType

STOP = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Inbox:
    """Signals as messages: they arrive one after the other in `wait`, never in between."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in STOP | {signal.SIGCHLD}:
            signal.signal(number, _ignore)

    def wait(self, seconds: float) -> list[signal.Signals]:
        """The signals that arrived, waiting up to `seconds` for the first."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        numbers = os.read(self._reader, 1024) if ready else b""
        return [signal.Signals(number) for number in numbers]


def _ignore(number: int, frame: FrameType | None) -> None:
    """A handler of ours must stand for the wake-up descriptor to be written."""

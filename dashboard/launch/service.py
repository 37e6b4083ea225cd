"""One thing the supervisor keeps running."""

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from dashboard.launch.processes import kill_session, spawn

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
#: A child that lived this long is healthy again: its next death starts from the first pause.
HEALTHY_SECONDS = 30.0


@dataclass
class Service:
    """A command that is restarted when it dies, and its processes: the current and the retiring."""

    name: str
    command: Sequence[str]
    grace_seconds: float
    environment: Mapping[str, str] = field(default_factory=dict)
    sockets: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    retiring: dict[subprocess.Popen[bytes], float] = field(default_factory=dict)
    started_at: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS
    start_at: float | None = None

    def start(self) -> None:
        """Start the command now."""
        self.process = spawn(self.command, self.environment, self.sockets)
        self.started_at, self.start_at = monotonic(), None

    def tend(self, report: Callable[[str], None]) -> None:
        """Reap what ended, kill what is overdue, restart what died when its pause is over."""
        self._clear_retiring(report)
        if self.process is not None and self.process.poll() is not None:
            self._bury(report)
        if self.start_at is not None and monotonic() >= self.start_at:
            self.start()

    def replace(self) -> None:
        """Start a new process at once; the old one finishes its work beside it."""
        self.retire()
        self.pause = FIRST_PAUSE_SECONDS
        self.start()

    def retire(self) -> None:
        """Ask the process to finish and stop within the grace; it is not started again."""
        if self.process is not None:
            self.retiring[self.process] = monotonic() + self.grace_seconds
            self.process.send_signal(signal.SIGTERM)
        self.process = self.start_at = None

    def hurry(self, seconds: float) -> None:
        """Ask again, which means at once, and wait for no more than `seconds`."""
        for process in self.retiring:
            self.retiring[process] = monotonic() + seconds
            process.send_signal(signal.SIGTERM)

    @property
    def stopped(self) -> bool:
        """Nothing of it runs any more."""
        return self.process is None and not self.retiring

    def _clear_retiring(self, report: Callable[[str], None]) -> None:
        for process, deadline in list(self.retiring.items()):
            if process.poll() is not None:
                kill_session(process.pid)
                del self.retiring[process]
            elif monotonic() >= deadline:
                report(f"{self.name} did not stop in time and is killed.")
                kill_session(process.pid)

    def _bury(self, report: Callable[[str], None]) -> None:
        assert self.process is not None
        kill_session(self.process.pid)
        if monotonic() - self.started_at >= HEALTHY_SECONDS:
            self.pause = FIRST_PAUSE_SECONDS
        ending = _ending(self.process.returncode)
        report(f"{self.name} stopped by itself ({ending}); starting it again in {self.pause:g} s.")
        self.process, self.start_at = None, monotonic() + self.pause
        self.pause = min(self.pause * 2, LONGEST_PAUSE_SECONDS)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

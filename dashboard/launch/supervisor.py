"""The loop behind `manage.py up`."""

from collections.abc import Callable, Sequence

from dashboard.launch.inbox import STOP, Inbox
from dashboard.launch.service import Service
from dashboard.launch.watch import Watch

#: How often to look at pauses, deadlines and changed files; a death wakes the loop at once.
TICK_SECONDS = 0.5
#: After the second request to stop.
HURRY_SECONDS = 2.0


class Supervisor:
    """Keeps services running until it is told to stop, then stops them all."""

    def __init__(
        self,
        services: Sequence[Service],
        report: Callable[[str], None],
        watches: Sequence[Watch] = (),
    ) -> None:
        self._services, self._report, self._watches = services, report, watches
        self._inbox = Inbox()

    def run(self) -> None:
        """Start everything; return when everything has stopped."""
        for service in self._services:
            service.start()
        while not self._told_to_stop():
            self._tend()
            self._reload()
        self._stop()

    def _told_to_stop(self) -> bool:
        return any(number in STOP for number in self._inbox.wait(TICK_SECONDS))

    def _tend(self) -> None:
        for service in self._services:
            service.tend(self._report)

    def _reload(self) -> None:
        for watch in self._watches:
            if changed := watch.changed():
                names = " and ".join(service.name.lower() for service in watch.services)
                self._report(f"{changed} changed; restarting {names}.")
                watch.restart()

    def _stop(self) -> None:
        self._report("Stopping; runs may finish. Press Ctrl-C again to stop at once.")
        for service in self._services:
            service.retire()
        while not all(service.stopped for service in self._services):
            if self._told_to_stop():
                self._hurry()
            self._tend()
        self._report("Stopped.")

    def _hurry(self) -> None:
        for service in self._services:
            service.hurry(HURRY_SECONDS)

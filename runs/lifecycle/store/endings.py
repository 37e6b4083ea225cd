"""How an attempt ends, as a value for `Store.finish`."""

from typing import NamedTuple

from runs import fingerprints
from runs.machines import heavy_lane, is_heavy
from runs.models import EventKind
from runs.states import AttemptStatus, RunStatus


class Ending(NamedTuple):
    """How an attempt ends and where its run goes.

    `status` QUEUED means another try `delay` seconds from now. `uncounted` attempts do not count as
    a try; `crashed` means the process or the cluster was lost. `machine` is the preset from now on.
    `output` and `error` are JSON text. `hooked` says that the final hooks for `status` were called.
    """

    run_id: str
    token: str
    status: RunStatus
    attempt_status: AttemptStatus
    kind: EventKind
    output: str | None = None
    error: str | None = None
    delay: float | None = None
    reason: str = ""
    uncounted: bool = False
    crashed: bool = False
    machine: str | None = None
    hooked: bool = False

    @property
    def lane(self) -> int | None:
        """The lane of its run from now on, where `machine` makes it a heavy one."""
        heavy = self.machine is not None and is_heavy(self.machine)
        return heavy_lane(self.machine) if self.machine and heavy else None

    @property
    def mark(self) -> str:
        """What its error has in common with others (`runs.fingerprints`); empty without one."""
        return "" if self.status == RunStatus.CANCELED else fingerprints.mark(self.error)

    @property
    def is_retry(self) -> bool:
        return self.status in (RunStatus.QUEUED, RunStatus.PENDING_VERSION)


def completed(run_id: str, token: str, output: str | None) -> Ending:
    """The ending of a run whose body returned."""
    return Ending(
        run_id=run_id,
        token=token,
        status=RunStatus.COMPLETED,
        attempt_status=AttemptStatus.COMPLETED,
        kind=EventKind.COMPLETED,
        output=output,
    )


def canceled(run_id: str, token: str, error: str | None = None, *, hooked: bool = False) -> Ending:
    """The ending of a run that was asked to stop and did."""
    return Ending(
        run_id=run_id,
        token=token,
        status=RunStatus.CANCELED,
        attempt_status=AttemptStatus.CANCELED,
        kind=EventKind.CANCELED,
        error=error,
        hooked=hooked,
    )

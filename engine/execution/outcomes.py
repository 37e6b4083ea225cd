"""How an attempt ended, as a value: the cluster has one branch for each."""

from dataclasses import dataclass

from runs.journal import Pause
from runs.states import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`recycle` says why this process had better execute nothing more, or is empty."""

    recycle: str = ""


@dataclass(frozen=True, slots=True)
class Succeeded(Outcome):
    """The body returned; `output` is JSON text, None when it returned nothing."""

    output: str | None


@dataclass(frozen=True, slots=True)
class Failed(Outcome):
    """The attempt failed. `error` is JSON text in the shape of `Run.error`.

    `retry_delay` is seconds until the next attempt; without one the run becomes `final_status`:
    FAILED, CRASHED, SYSTEM_FAILURE or TIMED_OUT. `machine` is set when the next attempt needs a
    larger preset.
    """

    error: str
    retry_delay: float | None
    final_status: RunStatus
    machine: str | None = None
    #: The final hooks were called.
    hooked: bool = False


@dataclass(frozen=True, slots=True)
class Canceled(Outcome):
    """The body stopped because the run was canceled; `error` is what its cleanup raised."""

    error: str | None = None
    #: The final hooks were called.
    hooked: bool = False


@dataclass(frozen=True, slots=True)
class Interrupted(Outcome):
    """The body stopped because the cluster stops: the run is handed back, no try used up."""

    reason: str


@dataclass(frozen=True, slots=True)
class Suspended(Outcome):
    """The body reached a wait: the run leaves its worker and comes back to the same attempt."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class Missing(Outcome):
    """This process cannot run the task: it has no such task, or its file is broken."""

    reason: str


@dataclass(frozen=True, slots=True)
class Concluded(Outcome):
    """The final hooks of a run that ended elsewhere were called, these; what some of them raised.

    `interrupted`: the cluster stops, they have to be called again.
    """

    called: tuple[str, ...]
    problems: tuple[str, ...] = ()
    interrupted: bool = False

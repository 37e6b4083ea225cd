"""What authors raise, and what is raised into their code.

Exception
├── AbortTaskRunError       give up: this run fails now, whatever attempts are left
├── OutOfMemoryError        treat this failure as a lack of memory
├── TaskRunEnded            how a run ended whose process could not tell; for its final hooks
└── UnsupportedValue        a payload or return value has no JSON form; names the place
BaseException
└── TaskRunStopped          raised inside a running body, so `except Exception` cannot eat it
    ├── TaskRunCanceled     a person, an API call or a parent asked it to stop
    ├── TaskRunTimedOut     it executed longer than its max_duration
    └── TaskRunInterrupted  its cluster is stopping; the run is handed back and starts again
"""

from collections.abc import Callable, Mapping
from typing import Any


class AbortTaskRunError(Exception):
    """Raise it to fail the run at once, without another attempt.

    Example:
        if not customer.exists:
            raise AbortTaskRunError(f"There is no customer {payload['id']}")
    """


class OutOfMemoryError(Exception):
    """Raise it when something the body called ran out of memory.

    The run is tried again only on the machine that `retry(out_of_memory=...)` names.

    Example:
        if ffmpeg.returncode == -9:
            raise OutOfMemoryError("ffmpeg was killed")
    """


class TaskRunEnded(Exception):
    """How a run ended, for final hooks that are called after its process was gone.

    `status` is the run's, as in "CRASHED"; `name`, `code` and `message` are those of its error.
    """

    def __init__(self, status: str, error: Mapping[str, Any], reason: str = "") -> None:
        self.status, self.facts = status, dict(error)
        self.name = str(error.get("name") or "")
        self.code = str(error.get("code") or "")
        self.message = str(error.get("message") or reason or f"The run is {status}.")
        super().__init__(self.message)


class UnsupportedValue(TypeError):
    """A value has no JSON form. `path` says where it stands, as in `$.items[3].price`."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem


class TaskRunStopped(BaseException):
    """The run must stop now; clean up in `finally` and let it pass."""


class TaskRunCanceled(TaskRunStopped):
    """The run was canceled."""


class TaskRunTimedOut(TaskRunStopped):
    """The run executed longer than its max_duration."""


class TaskRunInterrupted(TaskRunStopped):
    """The cluster is stopping; the run will start again elsewhere."""


#: Why a body is stopped, by the word the cluster uses.
STOPS: dict[str, Callable[[str], TaskRunStopped]] = {
    "cancel": TaskRunCanceled,
    "timeout": TaskRunTimedOut,
    "shutdown": TaskRunInterrupted,
}

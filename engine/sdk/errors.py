"""What authors raise, and what is raised into their code.

Exception
├── AbortTaskRunError       give up: this run fails now, whatever attempts are left
├── OutOfMemoryError        treat this failure as a lack of memory
├── TaskRunEnded            how a run ended whose process could not tell; for its final hooks
├── InvalidTask             a function that cannot be a task, or a type no payload can have
├── UnsupportedValue        a payload or return value has no JSON form; names the place
├── CannotWaitHere          a wait or step where it could not be remembered; says what to do
├── SubtaskUnwrapError      `.unwrap()` of a run that did not complete
├── WaitpointTimeoutError   `.unwrap()` of a token that timed out
└── StepFailed              stands for an exception of a step that cannot be made again
BaseException
├── Suspend                 leaves the body at a wait; never catch it
└── TaskRunStopped          raised inside a running body, so `except Exception` cannot eat it
    ├── TaskRunCanceled     a person, an API call or a parent asked it to stop
    ├── TaskRunTimedOut     it executed longer than its max_duration
    └── TaskRunInterrupted  its cluster is stopping; the run is handed back and starts again
"""

from collections.abc import Callable, Mapping
from typing import Any

from runs.errors import InvalidOption


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


class InvalidTask(InvalidOption, TypeError):
    """A function that cannot be a task, or a payload type that cannot be validated.

    `option` is "body" or "schema".
    """


class UnsupportedValue(TypeError):
    """A value has no JSON form. `path` says where it stands, as in `$.items[3].price`."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem


class CannotWaitHere(RuntimeError):
    """A wait, a step or an awaited child was called where a run cannot leave its worker.

    The run fails at once: calling it again would change nothing.
    """


class SubtaskUnwrapError(Exception):
    """The run waited for did not complete; `error` says why."""

    def __init__(self, task_id: str, run_id: str, error: Any) -> None:
        super().__init__(f"Run {run_id} of {task_id} did not complete. {error}")
        self.task_id, self.run_id, self.error = task_id, run_id, error


class WaitpointTimeoutError(Exception):
    """Nobody completed the token in time."""


class WaitpointFailedError(Exception):
    """Somebody ended the token with an error, whose words these are."""


class StepFailed(Exception):
    """What a step raised before the run waited, where the exception itself cannot be made again."""


class Suspend(BaseException):
    """The run leaves its worker here and comes back to this place when its wait is over.

    `finally` and `with` run; a body that swallows it is suspended all the same when it returns.
    """


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

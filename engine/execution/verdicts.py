"""Whether a failed attempt is followed by another (features.md 4.2, 4.4, 4.6)."""

from dataclasses import dataclass, replace

from engine.execution.assignment import Assignment
from engine.execution.failures import describe
from engine.execution.outcomes import Failed
from runs.errors import RunsError
from runs.retries import HARD_CAP, RetryPolicy
from runs.states import RunStatus

#: Matched by name, so that a copy of the SDK in another package counts too (NR-1).
ABORT = "AbortTaskRunError"
MISPLACED = "CannotWaitHere"
OUT_OF_MEMORY = ("OutOfMemoryError", "MemoryError")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of failure: its code, who is to blame, and whether trying again may help."""

    code: str = ""
    status: RunStatus = RunStatus.FAILED
    retried: bool = True
    out_of_memory: bool = False


RAISED = Kind()
FINAL = Kind(retried=False)
EXITED = Kind("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", RunStatus.CRASHED)
CRASHED = Kind("TASK_RUN_CRASHED", RunStatus.CRASHED)
NO_MEMORY = Kind("TASK_PROCESS_OOM_KILLED", RunStatus.CRASHED, retried=False, out_of_memory=True)
BAD_INPUT = Kind("TASK_INPUT_ERROR", retried=False)
BAD_OUTPUT = Kind("TASK_OUTPUT_ERROR", retried=False)
TIMED_OUT = Kind("MAX_DURATION_EXCEEDED", RunStatus.TIMED_OUT, retried=False)


def kind_of(error: BaseException) -> Kind:
    """What kind of failure an exception of the body is."""
    if isinstance(error, SystemExit):
        return EXITED
    if isinstance(error, KeyboardInterrupt):
        return CRASHED
    if is_named(error, *OUT_OF_MEMORY):
        return NO_MEMORY
    if is_named(error, ABORT, MISPLACED) or isinstance(error, RunsError):
        return FINAL
    return RAISED


def failed(
    error: BaseException,
    kind: Kind,
    policy: RetryPolicy,
    assignment: Assignment,
    message: str = "",
) -> Failed:
    """The outcome of a failure: its description, and the delay until the next attempt if any."""
    text = describe(error, kind.code, message or said(error))
    recycle = "the body ran out of memory" if kind.out_of_memory else ""
    machine = larger_machine(kind, policy, assignment)
    delay = None
    if kind.retried:
        attempts = min(max(assignment.max_attempts, 1), HARD_CAP)
        delay = replace(policy, max_attempts=attempts).delay(assignment.tries)
    elif machine:
        delay = policy.delay(assignment.tries)
    return Failed(text, delay, kind.status, machine if delay is not None else None, recycle=recycle)


def larger_machine(kind: Kind, policy: RetryPolicy, assignment: Assignment) -> str | None:
    """The preset for one more try after running out of memory; at most one step up (OOM-3)."""
    larger = policy.out_of_memory_machine
    return larger if kind.out_of_memory and larger and larger != assignment.machine else None


def said(error: BaseException) -> str:
    """What to say of an exception whose own text says little."""
    if isinstance(error, SystemExit):
        return f"The body called sys.exit({error.code!r:.100}) instead of returning."
    if isinstance(error, KeyboardInterrupt):
        return "The body raised KeyboardInterrupt."
    return ""


def is_named(error: BaseException, *names: str) -> bool:
    """Whether the exception, a base of its class, or any member of a group is called so."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_named(member, *names) for member in error.exceptions)
    return any(base.__name__ in names for base in type(error).__mro__)

"""Whether a failed attempt is followed by another (features.md 4.2, 4.4, 4.6)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from engine.execution.assignment import Assignment
from engine.execution.failures import describe
from engine.execution.outcomes import Failed
from engine.sdk.hookkinds import ErrorDecision
from engine.sdk.retries import as_policy
from runs import conf
from runs.durations import seconds
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
    #: `catch_error` is asked about it.
    caught: bool = False


RAISED = Kind(caught=True)
FINAL = Kind(retried=False)
EXITED = Kind("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", RunStatus.CRASHED, caught=True)
CRASHED = Kind("TASK_RUN_CRASHED", RunStatus.CRASHED, caught=True)
NO_MEMORY = Kind("TASK_PROCESS_OOM_KILLED", RunStatus.CRASHED, retried=False, out_of_memory=True)
BAD_INPUT = Kind("TASK_INPUT_ERROR", retried=False)
BAD_OUTPUT = Kind("TASK_OUTPUT_ERROR", retried=False)
BAD_MIDDLEWARE = Kind("TASK_MIDDLEWARE_ERROR")
BAD_HANDLER = Kind("HANDLE_ERROR_ERROR", RunStatus.CRASHED, retried=False)
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows a failure: another attempt after `delay` seconds, or None: the run is over."""

    error: BaseException
    kind: Kind
    delay: float | None
    machine: str | None
    #: The run may be tried again, if somebody wants it.
    attempts_left: bool
    assignment: Assignment

    def failed(self, message: str = "", *, hooked: bool = False) -> Failed:
        """The outcome."""
        text = describe(self.error, self.kind.code, message or said(self.error))
        recycle = "the body ran out of memory" if self.kind.out_of_memory else ""
        machine = self.machine if self.delay is not None else None
        return Failed(text, self.delay, self.kind.status, machine, hooked, recycle=recycle)

    def offered(self) -> dict[str, Any]:
        """What `catch_error` learns: the error, and the retry that is about to happen, if any."""
        at = None if self.delay is None else timezone.now() + timedelta(seconds=self.delay)
        return {"error": self.error, "retry_delay": self.delay, "retry_at": at}

    def decided(self, decision: Any, whose: str) -> "Verdict":
        """The verdict after what a `catch_error` returned (CE-3). No attempt left: no retry."""
        delay = delay_of(checked(decision, whose), self.assignment)
        error = decision.get("error", self.error)
        following(error, self.error)
        kind = self.kind if error is self.error else replace(self.kind, code="")
        return replace(self, error=error, kind=kind, delay=delay if self.attempts_left else None)


def following(error: BaseException, before: BaseException) -> None:
    """Let `error` say that it came up while `before` was handled."""
    if error is not before and error.__context__ is None:
        error.__context__ = before


def verdict_on(
    error: BaseException, kind: Kind, policy: RetryPolicy, assignment: Assignment
) -> Verdict:
    """What the policy says of a failure."""
    attempts = min(max(assignment.max_attempts, 1), HARD_CAP) if conf.is_retrying() else 1
    left, machine = assignment.tries < attempts, larger_machine(kind, policy, assignment)
    delay = None
    if kind.retried and policy.allows(error):
        delay = replace(policy, max_attempts=attempts).delay(assignment.tries)
    elif machine and conf.is_retrying():
        delay = policy.delay(assignment.tries)
    caught = kind.caught and conf.is_retrying()
    return Verdict(error, replace(kind, caught=caught), delay, machine, left, assignment)


#: What `catch_error` may return.
DECISIONS = set(ErrorDecision.__annotations__) | {"retry_delay_in_ms"}


def checked(decision: Any, whose: str) -> Mapping[str, Any]:
    """The decision, if it is one. Raises TypeError."""
    if not isinstance(decision, Mapping) or (unknown := set(decision) - DECISIONS):
        found = f"{sorted(unknown)}" if isinstance(decision, Mapping) else f"{decision!r:.80}"
        raise TypeError(
            f"The {whose} returned {found}; it returns None or a dict of "
            f"{', '.join(sorted(DECISIONS))}."
        )
    if not isinstance(decision.get("error", Exception()), BaseException):
        raise TypeError(f"The {whose} returned an error that is no exception.")
    return decision


def delay_of(decision: Mapping[str, Any], assignment: Assignment) -> float | None:
    """Seconds until the retry that a decision wants; None when it wants none (CE-3, CE-4)."""
    if decision.get("skip_retrying"):
        return None
    for name, meaning in DELAYS.items():
        if (stated := decision.get(name)) is not None:
            return meaning(stated, assignment)
    return None


def until(at: Any, _: Assignment) -> float:
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise TypeError(f"retry_at must be a datetime with a time zone; got {at!r:.80}.")
    return max((at - timezone.now()).total_seconds(), 0.0)


def by_policy(policy: Any, assignment: Assignment) -> float | None:
    attempts = min(max(assignment.max_attempts, 1), HARD_CAP)
    return replace(as_policy(policy), max_attempts=attempts).delay(assignment.tries)


#: In the order of their precedence.
DELAYS: dict[str, Callable[[Any, Assignment], float | None]] = {
    "retry_at": until,
    "retry_delay": lambda delay, _: seconds(delay, "retry_delay"),
    "retry_delay_in_ms": lambda delay, _: seconds(delay, "retry_delay_in_ms") / 1000,
    "retry": by_policy,
}


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

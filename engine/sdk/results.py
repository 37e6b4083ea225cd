"""What waiting for a run or a token gives back."""

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Self, TypeVar, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from engine.registry import registry
from engine.sdk.errors import SubtaskUnwrapError, WaitpointFailedError, WaitpointTimeoutError
from runs.journal import Target
from runs.states import RunStatus, TokenStatus

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run did not complete: its final status, and the last error it had, if any.

    The `message` of one that was canceled, expired or ended otherwise without an error is the reason.
    """

    status: str
    name: str = ""
    message: str = ""
    code: str = ""
    stack_trace: str = ""

    def __str__(self) -> str:
        said = ": ".join(filter(None, (self.name, self.message)))
        return f"{self.status}: {said}" if said else self.status


class Awaited:
    """`await` gives the value itself: the wait is over when it exists, so both spellings work."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, Self]:
        yield from ()
        return self


class Over(Awaited):
    """A wait for a time that is over."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Result(Awaited, Generic[R]):
    """How a run ended that was waited for. It is `ok` only if the run completed.

    Example:
        result = resize.trigger_and_wait({"width": 300})
        if result.ok:
            store(result.output)
        url = result.unwrap()  # or raise SubtaskUnwrapError
    """

    ok: bool
    id: str
    task_id: str
    output: R
    error: RunError | None = None

    def unwrap(self) -> R:
        """The output. Raises SubtaskUnwrapError if the run did not complete."""
        if not self.ok:
            raise SubtaskUnwrapError(self.task_id, self.id, self.error)
        return self.output


@dataclass(frozen=True, slots=True)
class BatchResult(Awaited, Generic[R]):
    """How the runs of a batch ended, in the order they were asked for."""

    id: str
    runs: list[Result[R]]

    @property
    def ok(self) -> bool:
        """Whether all of them completed."""
        return all(run.ok for run in self.runs)

    def unwrap(self) -> list[R]:
        """All outputs. Raises SubtaskUnwrapError for the first run that did not complete."""
        return [run.unwrap() for run in self.runs]


@dataclass(frozen=True, slots=True)
class TokenResult(Awaited):
    """How a wait token ended: completed with `output`, failed, or timed out."""

    ok: bool
    id: str
    output: Any = None
    error: WaitpointTimeoutError | WaitpointFailedError | None = None

    def unwrap(self) -> Any:
        """The output. Raises WaitpointTimeoutError if nobody completed the token in time, and
        WaitpointFailedError if somebody ended it with an error.
        """
        if self.error is not None:
            raise self.error
        return self.output


@dataclass(frozen=True, slots=True)
class First(Awaited):
    """The first of several to end: its index among them, and how it ended."""

    index: int
    result: Result[Any] | TokenResult


def run_result(run_id: str, task_id: str, found: Target) -> Result[Any]:
    """The result of a run that ended; one that is not stored any more did not complete."""
    task_id = found.task_id or task_id
    if found.status == RunStatus.COMPLETED:
        return Result(True, run_id, task_id, restored(found.output, output_type(task_id)))
    error = error_of(found.status or "DELETED", found.error, found.reason)
    return Result(False, run_id, task_id, None, error)


def error_of(status: str, text: str | None, reason: str = "") -> RunError:
    """What is recorded of an error; where nothing is, why the run ended."""
    told = json.loads(text or "{}")
    facts = [str(told.get(name) or "") for name in ("name", "message", "code", "stack_trace")]
    facts[1] = facts[1] or reason
    return RunError(status, *facts)


def token_result(token_id: str, found: Target) -> TokenResult:
    """The result of a token that ended."""
    if found.status == TokenStatus.COMPLETED:
        return TokenResult(True, token_id, restored(found.output, None))
    if found.status == TokenStatus.FAILED:
        said = json.loads(found.output or "{}").get("message", "")
        return TokenResult(False, token_id, error=WaitpointFailedError(said))
    error = WaitpointTimeoutError(f"Nobody completed token {token_id} in time.")
    return TokenResult(False, token_id, error=error)


def output_type(task_id: str) -> Any:
    """What the body of a task says it returns, if this process has the task."""
    task = registry.get(task_id)
    return None if task is None else returned_type(task.body.function)


@lru_cache(maxsize=1000)
def returned_type(function: Callable[..., Any]) -> Any:
    """The return annotation of a function; None where there is none or it does not resolve."""
    try:
        return get_type_hints(function, include_extras=True).get("return")
    except Exception:  # an annotation may be any expression
        return None


@lru_cache(maxsize=1000)
def adapter(kind: Any) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(kind)
    except PydanticUserError:
        return None


def restored(text: str | None, kind: Any) -> Any:
    """Recorded JSON as the type the author named, or plain where it is none or does not fit."""
    if text is None:
        return None
    known = None if kind in (None, Any, object) else adapter_of(kind)
    if known is not None:
        try:
            return known.validate_json(text)
        except ValidationError:
            pass
    return json.loads(text)


def adapter_of(kind: Any) -> TypeAdapter[Any] | None:
    try:
        return adapter(kind)
    except TypeError:  # not hashable
        return None

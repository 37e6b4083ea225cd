"""What a hook is: its kinds, what it may ask for, and the values it gets (docs/lifecycle.md)."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import NoneType
from typing import Any, Literal, TypedDict

from runs.errors import InvalidOption
from runs.retries import RetryPolicy

AnyHook = Callable[..., Any]

#: What every hook may ask for by the names of its parameters, and what each kind may beyond that.
COMMON = ("payload", "ctx", "task", "signal")
KINDS: dict[str, tuple[str, ...]] = {
    "middleware": ("next", "call_next"),
    "init": (),
    "on_start": ("init",),
    "on_start_attempt": (),
    "on_wait": ("wait", "init"),
    "on_resume": ("wait", "init"),
    "on_success": ("output", "init"),
    "on_failure": ("error", "init"),
    "on_complete": ("result", "init"),
    "on_error": ("error", "init"),
    "catch_error": ("error", "retry", "retry_at", "retry_delay", "init"),
    "on_cancel": ("run", "init"),
    "cleanup": ("init",),
}
#: Older names of the same hook.
ALIASES = {"handle_error": "catch_error"}
#: Kinds whose hook of the task comes before the global ones.
TASK_FIRST = {"catch_error"}
NAMES = (*KINDS, *ALIASES)


class HookOptions(TypedDict, total=False):
    """The hooks among the options of `@task`. Each is a function, plain or `async`."""

    middleware: AnyHook
    on_start_attempt: AnyHook
    on_wait: AnyHook
    on_resume: AnyHook
    on_success: AnyHook
    on_failure: AnyHook
    on_complete: AnyHook
    catch_error: AnyHook
    on_cancel: AnyHook
    #: Deprecated: they work, and have better successors.
    init: AnyHook
    on_start: AnyHook
    cleanup: AnyHook
    handle_error: AnyHook
    on_error: AnyHook


class ErrorDecision(TypedDict, total=False):
    """What `catch_error` may return; None leaves the decision to the next one, and to `retry`.

    The first of `skip_retrying`, `retry_at`, `retry_delay`, `retry` that is there decides. With
    `error` alone the run fails with that error and is not tried again.
    """

    skip_retrying: bool
    #: A moment with a time zone; one that has passed means at once.
    retry_at: datetime
    retry_delay: float | str | timedelta
    retry: RetryPolicy | Mapping[str, Any]
    error: BaseException


@dataclass(frozen=True, slots=True)
class Wait:
    """What `on_wait` and `on_resume` learn of a wait."""

    type: Literal["duration", "token", "task", "batch"]
    #: Until when, for "duration" and for what has a time-out.
    date: datetime | None = None
    token_id: str | None = None
    run_id: str | None = None
    #: Of several runs or tokens: how many.
    run_count: int | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, for `on_complete`, or how its body did, for `on_cancel`.

    `output` is what the body returned. `error` is the exception; of a body that never started, or
    whose process is gone, a TaskRunEnded that says so.
    """

    ok: bool
    output: Any = None
    error: BaseException | None = None

    def unwrap(self) -> Any:
        """The output, or the error raised."""
        if self.error is not None:
            raise self.error
        return self.output


@dataclass(frozen=True, slots=True)
class Hook:
    """A function, and what of the attempt it asks for."""

    kind: str
    function: AnyHook
    name: str
    scope: Literal["global", "task"]
    wants: tuple[str, ...]
    is_async: bool

    def call(self, values: Mapping[str, Any]) -> Any:
        """Call it with what it asks for; a coroutine function answers with its coroutine."""
        return self.function(**{name: values[name] for name in self.wants})

    def __str__(self) -> str:
        return f"{self.kind} hook {self.name}"


def hook_of(
    kind: str, function: object, scope: Literal["global", "task"], name: str | None = None
) -> Hook:
    """The hook a function is. Raises InvalidOption for what is no function or asks for too much."""
    if kind not in NAMES:
        raise InvalidOption(kind, f"There is no hook “{kind}”. Hooks: {', '.join(NAMES)}.")
    if not callable(function):
        raise InvalidOption(kind, f"{kind} must be a function; got {function!r:.80}.")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidOption(
            kind, f"{kind} is a generator, whose code would never run: {function!r:.80}."
        )
    if not isinstance(name, (str, NoneType)):
        raise InvalidOption("name", f"The name of a hook is text; got {name!r:.80}.")
    kind = ALIASES.get(kind, kind)
    called = name or str(getattr(function, "__qualname__", type(function).__name__))
    return Hook(kind, function, called, scope, wanted(kind, called, function), is_async(function))


def wanted(kind: str, called: str, function: AnyHook) -> tuple[str, ...]:
    """The names of the parameters to fill; all there are for a function that takes `**kwargs`."""
    offered = (*COMMON, *KINDS[kind])
    names = []
    for parameter in parameters(kind, called, function):
        if parameter.kind is parameter.VAR_KEYWORD:
            return offered
        if parameter.name in offered and parameter.kind is not parameter.POSITIONAL_ONLY:
            names.append(parameter.name)
        elif (
            parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
        ):
            raise InvalidOption(
                kind,
                f"The {kind} hook {called} asks for “{parameter.name}”; "
                f"it may ask for {', '.join(offered)}.",
            )
    if kind == "middleware" and not {"next", "call_next"} & set(names):
        raise InvalidOption(
            kind, f"The middleware {called} must ask for “next”, or “call_next”, and call it."
        )
    return tuple(names)


def parameters(kind: str, called: str, function: AnyHook) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:  # some of C's do not say
        raise InvalidOption(
            kind,
            f"Nobody can tell what the {kind} hook {called} asks for: give it a def of its own.",
        ) from error


def is_async(function: AnyHook) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004  an object whose call is a coroutine
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)

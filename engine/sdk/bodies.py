"""What a task is made of: the author's function, where it stands, and what its signature asks for."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast, get_type_hints

from engine.sdk.context import Context
from engine.sdk.errors import InvalidTask
from runs import limits
from runs.errors import InvalidOption

MAX_ID = 256
#: Parameters beyond the payload that a body may ask for by these names.
EXTRAS = ("init", "signal")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a task is defined."""

    file: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The author's function and what its signature asks for."""

    function: Callable[..., Any]
    payload_name: str | None
    context_name: str | None
    is_async: bool
    extras: tuple[str, ...] = ()

    def call(self, payload: Any, ctx: Context, init: Any = None) -> Any:
        """Call the function with the arguments it has parameters for."""
        arguments = {self.payload_name: payload, self.context_name: ctx}
        arguments.pop(None, None)
        if self.extras:
            arguments |= self._extras(ctx, init)
        return self.function(**cast("dict[str, Any]", arguments))

    def _extras(self, ctx: Context, init: Any) -> dict[str | None, Any]:
        # asking for the signal means to watch it
        return {name: init if name == "init" else ctx.signal for name in self.extras}


def inspected(function: Callable[..., Any]) -> tuple[Body, Any]:
    """The body of a function, and its payload's annotation (None without one)."""
    if isinstance(function, str):
        raise InvalidTask("body", f"An id is given by its name: @task(id={function!r:.80}).")
    if not inspect.isfunction(inspect.unwrap(function)):
        raise InvalidTask("body", f"@task needs a function, not {function!r:.100}.")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidTask(
            "body", f"{function.__qualname__} is a generator. A body returns its result as a whole."
        )
    names = parameters(function)
    hints = annotations(function)
    context = next((n for n in names if n == "ctx" or hints.get(n) is Context), None)
    extras = extras_of(function, [name for name in names if name != context])
    payload = [name for name in names if name != context and name not in extras]
    if len(payload) > 1:
        raise InvalidTask(
            "body",
            f"The body of a task takes a payload, ctx, init and signal; {function.__qualname__} "
            f"has the parameters {', '.join(names)}. Put several values into one payload.",
        )
    body = Body(
        function=function,
        payload_name=payload[0] if payload else None,
        context_name=context,
        is_async=inspect.iscoroutinefunction(function),
        extras=extras,
    )
    return body, hints.get(payload[0]) if payload else None


def extras_of(function: Callable[..., Any], names: list[str]) -> tuple[str, ...]:
    """The extras among the parameters; the first positional one is the payload, whatever its name."""
    known = inspect.signature(function).parameters
    first = next((n for n in names if known[n].kind is not inspect.Parameter.KEYWORD_ONLY), None)
    return tuple(name for name in names if name in EXTRAS and name != first)


def parameters(function: Callable[..., Any]) -> list[str]:
    """Names of the parameters a call must or may fill, in order."""
    kinds = inspect.Parameter
    found = inspect.signature(function).parameters.values()
    if any(p.kind is kinds.POSITIONAL_ONLY for p in found):
        raise InvalidTask(
            "body", f"{function.__qualname__} may not have positional-only parameters."
        )
    if found and all(p.kind in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD) for p in found):
        raise InvalidTask(
            "body",
            f"{function.__qualname__} takes *args or **kwargs, which says nothing of a payload. Name "
            "the payload; a decorator under @task needs functools.wraps.",
        )
    return [p.name for p in found if p.kind is kinds.POSITIONAL_OR_KEYWORD] + [
        p.name for p in found if p.kind is kinds.KEYWORD_ONLY and p.default is kinds.empty
    ]


def annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Resolved annotations with `Annotated` kept; a name that does not resolve is an error."""
    try:
        hints = get_type_hints(inspect.unwrap(function), include_extras=True)
    except NameError as error:
        raise InvalidTask(
            "body",
            f"An annotation of {function.__qualname__} does not resolve: {error}. Import the name "
            "where the module runs, not under TYPE_CHECKING alone.",
        ) from error
    hints.pop("return", None)
    return hints


def source_of(function: Callable[..., Any]) -> Source:
    code = inspect.unwrap(function).__code__
    return Source(code.co_filename, code.co_firstlineno, function.__qualname__)


def described(function: Callable[..., Any], stated: object) -> str:
    """What people read of a task: as stated, else the first line of its docstring."""
    if stated is None:
        return (inspect.getdoc(function) or "").partition("\n")[0]
    if not isinstance(stated, str):
        raise InvalidOption("description", f"description is text; got {stated!r:.80}.")
    limits.text("description", stated)
    return stated


def checked_id(value: object) -> str:
    if isinstance(value, str) and 1 <= len(value) <= MAX_ID and value.isprintable():
        return value
    raise InvalidOption(
        "id", f"A task id is printable text of 1 to {MAX_ID} characters; got {value!r:.80}."
    )

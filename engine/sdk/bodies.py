"""What a task is made of: the author's function, where it stands, and what its signature asks for."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast, get_type_hints

from engine.sdk.context import Context
from runs.errors import InvalidOption

MAX_ID = 256


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

    def call(self, payload: Any, ctx: Context) -> Any:
        """Call the function with the arguments it has parameters for."""
        arguments = {self.payload_name: payload, self.context_name: ctx}
        arguments.pop(None, None)
        return self.function(**cast("dict[str, Any]", arguments))


def inspected(function: Callable[..., Any]) -> tuple[Body, Any]:
    """The body of a function, and its payload's annotation (None without one)."""
    if not inspect.isfunction(inspect.unwrap(function)):
        raise TypeError(f"@task needs a function, not {function!r:.100}.")
    names = parameters(function)
    hints = annotations(function)
    context = next((n for n in names if n == "ctx" or hints.get(n) is Context), None)
    payload = [name for name in names if name != context]
    if len(payload) > 1:
        raise TypeError(
            f"The body of a task takes a payload and ctx; {function.__qualname__} has the "
            f"parameters {', '.join(names)}. Put several values into one payload."
        )
    body = Body(
        function=function,
        payload_name=payload[0] if payload else None,
        context_name=context,
        is_async=inspect.iscoroutinefunction(function),
    )
    return body, hints.get(payload[0]) if payload else None


def parameters(function: Callable[..., Any]) -> list[str]:
    """Names of the parameters a call must or may fill, in order."""
    kinds = inspect.Parameter
    found = inspect.signature(function).parameters.values()
    if any(p.kind is kinds.POSITIONAL_ONLY for p in found):
        raise TypeError(f"{function.__qualname__} may not have positional-only parameters.")
    return [p.name for p in found if p.kind is kinds.POSITIONAL_OR_KEYWORD] + [
        p.name for p in found if p.kind is kinds.KEYWORD_ONLY and p.default is kinds.empty
    ]


def annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Resolved annotations with `Annotated` kept; a name that does not resolve is an error."""
    hints = get_type_hints(inspect.unwrap(function), include_extras=True)
    hints.pop("return", None)
    return hints


def source_of(function: Callable[..., Any]) -> Source:
    code = inspect.unwrap(function).__code__
    return Source(code.co_filename, code.co_firstlineno, function.__qualname__)


def first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


def checked_id(value: object) -> str:
    if isinstance(value, str) and 1 <= len(value) <= MAX_ID and value.isprintable():
        return value
    raise InvalidOption(
        "id", f"A task id is printable text of 1 to {MAX_ID} characters; got {value!r:.80}."
    )

"""`span`, and what the SDK's own parts use of it: pieces of a run that are seen in its trace."""

import functools
import inspect
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from engine.runtime import LaunchOptions
from engine.sdk import opentelemetry
from engine.sdk.context import current
from engine.sdk.tracer import Entered, Span, Tracer, checked_attribute, checked_name, current_span
from runs.errors import InvalidOption
from runs.journal import Entry
from runs.states import EntryKind
from runs.tracing import TraceContext

F = TypeVar("F", bound=Callable[..., Any])
#: Characters of an icon: one sign, or a short word.
MAX_ICON = 12
ICON = "trackside.icon"
WAITS = (EntryKind.WAIT, EntryKind.CHILD, EntryKind.FOR)


class Trace:
    """A span to be: around a `with` or `async with` block, or around every call of a function."""

    def __init__(
        self,
        name: str,
        kind: str = "user",
        attributes: Mapping[str, Any] | None = None,
        place: tuple[object, ...] = (),
    ) -> None:
        self._made = name, kind, attributes, place
        self._entered: list[Entered] = []

    def __enter__(self) -> Span:
        entered = Entered(opened(*self._made))
        self._entered.append(entered)
        return entered.span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered.pop().leave(error)

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered.pop().leave(error)

    def __call__(self, function: F) -> F:
        """As a decorator."""
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise InvalidOption(
                "span", f"A span cannot be around the generator {function.__name__}; use `with`."
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def traced_async(*args: Any, **kwargs: Any) -> Any:
                with Trace(*self._made):
                    return await function(*args, **kwargs)

            return traced_async  # type: ignore[return-value]

        @functools.wraps(function)
        def traced(*args: Any, **kwargs: Any) -> Any:
            with Trace(*self._made):
                return function(*args, **kwargs)

        return traced  # type: ignore[return-value]


def span(
    name: str,
    /,
    *,
    icon: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    **more: Any,
) -> Trace:
    """A named piece of the run, seen in its trace with its duration: a block, or a function.

    What is called in it nests in it, log lines know it, and an error that leaves it marks it as
    failed. Outside of a run the code runs all the same.

    Example:
        with span("import", source=url) as one:
            one.set_attribute("rows", len(rows))

        @span("resize")
        async def resize(image): ...
    """
    return Trace(checked_name(name), "user", noted(icon, attributes, more))


def noted(
    icon: object, attributes: Mapping[str, Any] | None, more: Mapping[str, Any]
) -> dict[str, Any]:
    """The attributes that a span is opened with. Raises InvalidOption."""
    if attributes is not None and not isinstance(attributes, Mapping):
        raise InvalidOption("attributes", f"attributes is a dict; got {attributes!r:.80}.")
    found = {checked_attribute(key): value for key, value in (attributes or {}).items()}
    if icon is not None:
        if not isinstance(icon, str) or not 0 < len(icon) <= MAX_ICON or not icon.isprintable():
            raise InvalidOption(
                "icon", f"An icon is a sign or a word of at most {MAX_ICON} characters."
            )
        found[ICON] = icon
    return {**found, **more}


def started(
    name: str,
    icon: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Span:
    """A span that ends when its `end()` is called, and in which nothing nests."""
    return opened(checked_name(name), "user", noted(icon, attributes, more or {}))


def called(trace: Trace, function: Callable[..., Any]) -> Any:
    """The function's result, called in the span, which it gets if it takes something."""
    if not callable(function):
        raise InvalidOption("function", f"trace() calls a function; got {function!r:.80}.")
    if inspect.iscoroutinefunction(function):
        return called_async(trace, function)
    with trace as one:
        return function(one) if takes_one(function) else function()


async def called_async(trace: Trace, function: Callable[..., Any]) -> Any:
    with trace as one:
        return await (function(one) if takes_one(function) else function())


def takes_one(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return True


def tracer() -> Tracer | None:
    """The tracer of the run this code is part of."""
    ctx = current()
    return None if ctx is None else ctx._tracer


def opened(
    name: str,
    kind: str = "user",
    attributes: Mapping[str, Any] | None = None,
    place: tuple[object, ...] = (),
) -> Span:
    """A span that begins now, below the innermost one."""
    mine = tracer()
    made = Span(mine, parent_id(mine), name, kind, attributes, place)
    made.begin()
    return made


def parent_id(mine: Tracer | None) -> str:
    """The innermost span of this run; empty where that is its attempt's."""
    outer = current_span.get()
    return outer.id if outer is not None and mine is not None and outer._tracer is mine else ""


def innermost_id() -> str:
    """The span that this code is in; empty where that is the attempt's, or none."""
    return "" if current_span.get() is None else parent_id(tracer())


def place() -> TraceContext | None:
    """Where this code is in a trace: OpenTelemetry's current span, or the run's."""
    found = opentelemetry.current()
    if found is not None:
        return found
    mine = tracer()
    return None if mine is None else mine.place(parent_id(mine))


def waited(entry: Entry) -> None:
    """The wait that a run comes back from is over; the journal has it, so it is only exported."""
    mine = tracer()
    if mine is None or not mine.segment.is_exporting or entry.kind not in WAITS:
        return
    facts = {"trackside.target": entry.target} if entry.target else {}
    place = (str(entry.kind), entry.name, entry.ordinal)
    made = Span(mine, entry.span, f"wait {entry.name}".strip(), "wait", facts, place)
    made.end_wait(int(entry.started_at.timestamp() * 1_000_000_000))


def headers() -> dict[str, str]:
    """What an outgoing request says of where it comes from."""
    found = place()
    return {} if found is None else found.headers


def passed_on() -> LaunchOptions:
    """What runs that are triggered here learn of where they come from."""
    found = place()
    if found is None:
        return {}
    options: LaunchOptions = {"traceparent": found.header}
    if found.state:
        options["tracestate"] = found.state
    return options

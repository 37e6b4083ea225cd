"""`logger`: log lines of the run, with properties (features.md section 19)."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from engine.sdk import spans
from engine.sdk.tracer import Span
from runs import conf
from runs.errors import InvalidOption

R = TypeVar("R")

#: Lines carry this logger name; outside of a run they go where Python's logging sends them.
NAME = "trackside.task"
LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40, "none": 100}


class TaskLogger:
    """Writes log lines of the current run; plain Python logging outside of one.

    Example:
        logger.info("charged", amount=12.5, customer="c_42")
    """

    def __init__(self, name: str = NAME) -> None:
        self._logger = logging.getLogger(name)
        self._logger.setLevel(logging.DEBUG)

    def debug(self, message: object, /, **props: Any) -> None:
        """Log for whoever looks closely."""
        self._write(logging.DEBUG, message, props)

    def info(self, message: object, /, **props: Any) -> None:
        """Log what happened."""
        self._write(logging.INFO, message, props)

    log = info

    def warning(self, message: object, /, **props: Any) -> None:
        """Log what somebody should look at."""
        self._write(logging.WARNING, message, props)

    warn = warning

    def error(self, message: object, /, **props: Any) -> None:
        """Log what went wrong."""
        self._write(logging.ERROR, message, props)

    @overload
    def trace(
        self,
        name: str,
        /,
        *,
        icon: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> spans.Trace: ...
    @overload
    def trace(
        self,
        name: str,
        function: Callable[[Span], R],
        /,
        *,
        icon: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> R: ...
    @overload
    def trace(
        self,
        name: str,
        function: Callable[[], R],
        /,
        *,
        icon: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> R: ...
    def trace(
        self, name: str, function: Callable[..., Any] | None = None, /, **attributes: Any
    ) -> Any:
        """Open a span (see `engine.span`), or call `function` in one and return its result.

        Example:
            with logger.trace("charge", customer="c_42") as span:
                span.set_attribute("amount", charge(order))
            rows = logger.trace("load", lambda span: load(span))
        """
        made = spans.span(name, **attributes)
        return made if function is None else spans.called(made, function)

    def start_span(
        self,
        name: str,
        /,
        *,
        icon: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Span:
        """Open a span that ends with its `end()`; what is called meanwhile does not nest in it."""
        return spans.started(name, icon, attributes, more)

    def _write(self, level: int, message: object, props: dict[str, Any]) -> None:
        if level < least_level():
            return
        tail = f" {_rendered(props)}" if props else ""
        self._logger.log(level, "%s%s", message, tail)


def least_level() -> int:
    """From which level on `logger` writes; Python's own loggers have levels of their own."""
    try:
        return LEVELS[conf.get("LOG_LEVEL")]
    except (KeyError, TypeError):
        raise InvalidOption(
            "LOG_LEVEL",
            f'TRACKSIDE["LOG_LEVEL"] is one of {", ".join(LEVELS)}; got {conf.get("LOG_LEVEL")!r:.40}.',
        ) from None


def _rendered(props: dict[str, Any]) -> str:
    try:
        return json.dumps(props, default=str, ensure_ascii=False)
    except Exception:
        return ", ".join(props)


logger = TaskLogger()

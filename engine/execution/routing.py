"""In a process that many attempts share, each prints and logs to lines of its own.

Which attempt some code belongs to is a context variable: coroutines and the threads that asyncio
starts have it, a bare `threading.Thread` has not.
"""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TextIO

from engine.execution.capture import LineHandler, Lines, LineStream, LogSink, streams


class Route(NamedTuple):
    """Where what one attempt prints and logs goes, in a process that many share."""

    stdout: LineStream
    stderr: LineStream
    handler: LineHandler


_route: ContextVar[Route | None] = ContextVar("trackside_route", default=None)


class RoutedStream(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr` and passes on to the attempt whose code writes."""

    def __init__(self, name: str, original: TextIO) -> None:
        super().__init__()
        self._name, self._original = name, original

    @property
    def _target(self) -> TextIO:
        route = _route.get()
        target: TextIO = self._original if route is None else getattr(route, self._name)
        return target

    @property
    def buffer(self) -> Any:
        return self._target.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._target.encoding

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._original.fileno()

    def write(self, text: str, /) -> int:
        return self._target.write(text)

    def flush(self) -> None:
        self._target.flush()


class RoutedHandler(logging.Handler):
    """Passes log records on to the attempt whose code logs."""

    def emit(self, record: logging.LogRecord) -> None:
        route = _route.get()
        if route is not None:
            route.handler.emit(record)


def share() -> None:
    """From now on what this process prints and logs belongs to whose code does it: see `routed`.

    Threads that Python starts without a context, as `threading.Thread` does, are nobody's.
    """
    sys.stdout = RoutedStream("stdout", sys.stdout)
    sys.stderr = RoutedStream("stderr", sys.stderr)
    logging.getLogger().addHandler(RoutedHandler())


@contextmanager
def routed(sink: LogSink, limit: int) -> Iterator[Lines]:
    """While entered, what this context prints and logs belongs to one attempt."""
    lines = Lines(sink, limit)
    both = streams(lines, _original(sys.stdout), _original(sys.stderr))
    route = Route(*both, LineHandler().serve(lines))
    token = _route.set(route)
    try:
        yield lines
    finally:
        _route.reset(token)
        route.stdout.finish()
        route.stderr.finish()
        lines.close()


def _original(stream: TextIO) -> TextIO:
    return stream._original if isinstance(stream, RoutedStream) else stream

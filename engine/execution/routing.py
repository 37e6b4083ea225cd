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
from typing import Any, TextIO, cast

from engine.execution.capture import LineHandler, Lines, LineStream, LogSink, streams


class Route:
    """Where what one attempt prints and logs goes, in a process that many share."""

    def __init__(self, lines: Lines) -> None:
        self.lines, self._is_over = lines, False
        self._streams: tuple[LineStream, LineStream] | None = None

    @property
    def streams(self) -> tuple[LineStream, LineStream]:
        """What stands in for stdout and stderr. Made when asked for: most bodies print nothing."""
        with self.lines.lock:
            if self._streams is None:
                originals = _original(sys.stdout), _original(sys.stderr)
                self._streams = streams(self.lines, *originals)
                if self._is_over:
                    self.finish()
            return self._streams

    def finish(self) -> None:
        """What is written later goes to the real streams."""
        with self.lines.lock:
            self._is_over = True
            for stream in self._streams or ():
                stream.finish()


_route: ContextVar[Route | None] = ContextVar("trackside_route", default=None)


class RoutedStream(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr` and passes on to the attempt whose code writes."""

    def __init__(self, number: int, original: TextIO) -> None:
        super().__init__()
        self._number, self._original = number, original

    @property
    def _target(self) -> TextIO:
        route = _route.get()
        return self._original if route is None else cast("TextIO", route.streams[self._number])

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


class RoutedHandler(LineHandler):
    """Passes log records on to the attempt whose code logs."""

    def emit(self, record: logging.LogRecord) -> None:
        route = _route.get()
        if route is not None:
            self.pass_on(record, route.lines)


def share() -> None:
    """From now on what this process prints and logs belongs to whose code does it: see `routed`.

    Threads that Python starts without a context, as `threading.Thread` does, are nobody's.
    """
    sys.stdout = RoutedStream(0, sys.stdout)
    sys.stderr = RoutedStream(1, sys.stderr)
    logging.getLogger().addHandler(RoutedHandler())


@contextmanager
def routed(sink: LogSink, limit: int) -> Iterator[Lines]:
    """While entered, what this context prints and logs belongs to one attempt."""
    lines = Lines(sink, limit)
    route = Route(lines)
    token = _route.set(route)
    try:
        yield lines
    finally:
        _route.reset(token)
        route.finish()
        lines.close()


def _original(stream: TextIO) -> TextIO:
    return stream._original if isinstance(stream, RoutedStream) else stream

"""Prints and Python logging of a body become log lines of its run, as they happen.

Bounded in every direction: characters of a line, lines and characters of an attempt. What exceeds
is counted, and one line at the end says how much.
"""

import io
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol, Self, TextIO

from engine.execution.aloud import aloud
from runs import conf

MAX_MESSAGE = 16_384
#: Characters kept of one attempt, whatever the number of lines.
MAX_ATTEMPT = 10_000_000
MAX_LOGGER_NAME = 128
#: A progress bar that rewrites its line shows at most this often.
PROGRESS_SECONDS = 1.0

#: Whether this thread is passing a line on right now.
_passing = threading.local()
Shield = Callable[[], AbstractContextManager[None]]


class LogSink(Protocol):
    """Takes finished log lines; the cluster stores them. May block to slow a flood down."""

    def write(self, level: int, logger: str, message: str, at: float) -> None:
        """One line: Python's level number, logger name, text, seconds since 1970."""


class Lines:
    """Bounds, cleans and counts the lines of one attempt on their way to the sink."""

    def __init__(self, sink: LogSink, limit: int, shield: Shield = nullcontext) -> None:
        self._sink, self._left, self._room, self._shield = sink, limit, MAX_ATTEMPT, shield
        self._dropped, self._tell = 0, aloud if conf.get("CONSOLE_LOGGING") else None
        self.lock = threading.RLock()

    def write(self, level: int, logger: str, message: str, at: float | None = None) -> None:
        """Pass one line on. A line that the sink itself logs would never end: it is left out."""
        if getattr(_passing, "now", False):
            return
        with self._shield(), self.lock:
            _passing.now = True
            try:
                self._pass(level, logger, message, time.time() if at is None else at)
            finally:
                _passing.now = False

    def close(self) -> None:
        """Say how many lines were left out."""
        if self._dropped:
            self._left, self._room = 1, MAX_MESSAGE
            count, self._dropped = self._dropped, 0
            plural = "line was" if count == 1 else "lines were"
            self.write(logging.WARNING, "trackside", f"{count:,} more log {plural} dropped.")

    def _pass(self, level: int, logger: str, message: str, at: float) -> None:
        if self._left <= 0 or self._room <= 0:
            self._dropped += 1
            return
        text = storable(shortened(message))
        self._left -= 1
        self._room -= len(text)
        if self._tell is not None:
            self._tell(level, logger, text)
        try:
            self._sink.write(level, storable(logger[:MAX_LOGGER_NAME]), text, at)
        except Exception:  # the body may have closed the sink's socket; its result still counts
            self._dropped += 1


def streams(lines: Lines, stdout: TextIO, stderr: TextIO) -> tuple["LineStream", "LineStream"]:
    """What stands in for both while an attempt's code is executed."""
    both = (
        LineStream(lines, logging.INFO, "stdout", stdout),
        LineStream(lines, logging.WARNING, "stderr", stderr),
    )
    if not conf.get("CAPTURE_CONSOLE"):
        for stream in both:
            stream.finish()
    return both


def shortened(message: str) -> str:
    """The message with a marker where it was cut."""
    over = len(message) - MAX_MESSAGE
    return message if over <= 0 else f"{message[:MAX_MESSAGE]} … [{over:,} characters cut]"


def storable(text: str) -> str:
    """The text with NUL characters and lone surrogates spelled out."""
    if text.isascii():
        return text.replace("\x00", "\\x00") if "\x00" in text else text
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


class LineStream(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr` and cuts what is written into lines."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, lines: Lines, level: int, logger: str, original: TextIO) -> None:
        super().__init__()
        self._lines: Lines | None = lines
        self._level, self._logger, self._original = level, logger, original
        self._open, self._lock, self._shown = "", lines.lock, time.monotonic()

    @property
    def buffer(self) -> "ByteStream":
        """For bytes. Made when asked for: most bodies never do."""
        return ByteStream(self)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        """The real file, for subprocesses; what they write there is not captured."""
        return self._original.fileno()

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            if self._lines is None:
                return self._original.write(text)
            for piece in text.splitlines(keepends=True) if "\r" in text else lines_of(text):
                self._add(piece)
        return len(text)

    def flush(self) -> None:
        """Whole lines are passed on at once; an unfinished one waits for its end."""

    def finish(self) -> None:
        """Pass on what is left; later writes go to the real stream."""
        with self._lock:
            if self._open:
                self._emit(self._open.rstrip("\r"))
            self._lines = None

    def _add(self, piece: str) -> None:
        if self._open.endswith("\r") and piece != "\n":
            self._rewind()
        self._open += piece
        if self._open.endswith("\n"):
            self._emit(self._open.removesuffix("\n").removesuffix("\r"))
        while len(self._open) > MAX_MESSAGE:
            rest = self._open[MAX_MESSAGE:]
            self._emit(self._open[:MAX_MESSAGE])
            self._open = rest

    def _rewind(self) -> None:
        """The line is written over, as progress bars do: show it now and then."""
        if time.monotonic() - self._shown >= PROGRESS_SECONDS:
            self._emit(self._open.removesuffix("\r"))
        self._open = ""

    def _emit(self, line: str) -> None:
        self._open, self._shown = "", time.monotonic()
        if self._lines is not None:
            for start in range(0, max(len(line), 1), MAX_MESSAGE):
                self._lines.write(self._level, self._logger, line[start : start + MAX_MESSAGE])


def lines_of(text: str) -> Iterable[str]:
    """`text` cut after each newline, and only there."""
    *whole, last = text.split("\n")
    yield from (f"{line}\n" for line in whole)
    if last:
        yield last


class ByteStream(io.RawIOBase):
    """`sys.stdout.buffer`: bytes are text in UTF-8, others spelled out."""

    def __init__(self, text: LineStream) -> None:
        super().__init__()
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        self._text.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)


class LineHandler(logging.Handler):
    """Passes Python's log records on to the lines of one attempt after the other.

    One for the process: making a handler takes longer than a short body.
    """

    _lines: Lines | None = None

    @property
    def served(self) -> Lines | None:
        """Whose lines it passes on to."""
        return self._lines

    def serve(self, lines: Lines | None) -> Self:
        """Pass on to `lines` from now on, and undo what a body changed about the handler."""
        self._lines, self.level, self.formatter, self.filters = lines, logging.NOTSET, None, []
        return self

    def emit(self, record: logging.LogRecord) -> None:
        if self._lines is not None:
            self.pass_on(record, self._lines)

    def pass_on(self, record: logging.LogRecord, lines: Lines) -> None:
        try:
            message = self.format(record)
        except Exception as error:  # bad arguments, a failing __str__
            message = f"{record.msg!r:.1000} [could not be formatted: {type(error).__name__}]"
        lines.write(record.levelno, record.name, message, record.created)


_handler = LineHandler()


def let_pass() -> None:
    """Let the root logger pass INFO for good.

    `Capture` would do so for each attempt, and every change of a level empties all loggers' caches.
    """
    root = logging.getLogger()
    root.setLevel(min(root.level, logging.INFO))


class Capture:
    """While entered, what this process prints and logs belongs to one attempt."""

    def __init__(self, sink: LogSink, limit: int, shield: Shield = nullcontext) -> None:
        self._lines = Lines(sink, limit, shield)

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._before = (
            sys.stdout,
            sys.stderr,
            root.handlers[:],
            root.level,
            logging.root.manager.disable,
        )
        self._outer = _handler.served
        self._streams = streams(self._lines, sys.stdout, sys.stderr)
        sys.stdout, sys.stderr = self._streams
        root.addHandler(_handler.serve(self._lines))
        if root.level > logging.INFO:
            root.setLevel(logging.INFO)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        root = logging.getLogger()
        sys.stdout, sys.stderr, handlers, level, disabled = self._before
        root.handlers[:] = handlers
        if root.level != level:
            root.setLevel(level)
        if root.manager.disable != disabled:
            logging.disable(disabled)
        _handler.serve(self._outer)
        for stream in self._streams:
            stream.finish()
        self._lines.close()

    @property
    def is_untouched(self) -> bool:
        """Whether console and logging are still as they were when it was entered."""
        root = logging.getLogger()
        level, disabled = self._before[3:]
        return (
            (sys.stdout, sys.stderr) == self._streams
            and [*self._before[2], _handler][: len(root.handlers)] == root.handlers
            and _handler in root.handlers
            and root.level == min(level, logging.INFO)
            and root.manager.disable == disabled
        )

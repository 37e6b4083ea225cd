"""What a body may change in its process is put back, so that the next run starts clean.

What cannot be put back is reported, and the worker is replaced.
"""

import _signal  # type: ignore[import-not-found]  # signal.getsignal builds an enum each time
import datetime
import locale
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable

Check = Callable[[], str]

#: Functions that everything relies on; a body may replace them for a while, not for ever.
TRUSTED = {
    "time.time": (time, "time", time.time),
    "time.monotonic": (time, "monotonic", time.monotonic),
    "time.sleep": (time, "sleep", time.sleep),
    "datetime.datetime": (datetime, "datetime", datetime.datetime),
    "socket.socket": (socket, "socket", socket.socket),
    "os.getpid": (os, "getpid", os.getpid),
}
STANDARD_FILES = (0, 1, 2)
#: `signal` wraps these two to make enums, which costs ten times what the calls do.
handler_of, blocked = _signal.getsignal, _signal.pthread_sigmask
#: What bodies handle; asking about all sixty after every run costs more than a short run does.
SIGNALS = [
    int(getattr(signal, f"SIG{name}"))
    for name in (
        *("ALRM", "CHLD", "CONT", "HUP", "INT", "PIPE", "PROF", "QUIT", "TERM", "TSTP"),
        *("USR1", "USR2", "VTALRM", "WINCH"),
    )
]


class Snapshot:
    """How this process stands now. `files` are descriptors that bodies must leave alone."""

    def __init__(self, files: Iterable[int] = ()) -> None:
        self._directory = os.getcwd()
        self._mask = current_umask()
        self._environment = raw_environment().copy()
        self._locale = locale.setlocale(locale.LC_ALL)
        self._signals = {number: handler_of(number) for number in SIGNALS}
        self._blocked = blocked(signal.SIG_BLOCK, ())
        self._files = {number: identity(number) for number in (*STANDARD_FILES, *files)}

    def adopt(self, name: str, value: str | None) -> None:
        """A variable that belongs to how the process is to stand from now on; None for none."""
        if value is None:
            self._environment.pop(os.fsencode(name), None)
        else:
            self._environment[os.fsencode(name)] = os.fsencode(value)

    def restore(self) -> str:
        """Put everything back as it was; returns what could not be, or empty."""
        steps = (
            self._restore_environment,
            self._restore_directory,
            self._restore_locale,
            self._restore_signals,
            self._check_files,
            check_trusted,
        )
        os.umask(self._mask)
        return "; ".join(damage for step in steps if (damage := attempt(step)))

    def is_kept(self) -> bool:
        """Whether everything still stands so."""
        return (
            raw_environment() == self._environment
            and os.getcwd() == self._directory
            and current_umask() == self._mask
            and locale.setlocale(locale.LC_ALL) == self._locale
            and all(handler_of(number) == known for number, known in self._signals.items())
            and blocked(signal.SIG_BLOCK, ()) == self._blocked
            and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
            and not self._check_files()
            and not check_trusted()
        )

    def _restore_environment(self) -> str:
        now = raw_environment()
        if now != self._environment:
            zone = os.environ.get("TZ")
            for name in now.keys() | self._environment.keys():
                put_back(os.fsdecode(name), self._environment.get(name))
            if zone != os.environ.get("TZ"):
                time.tzset()
        return ""

    def _restore_directory(self) -> str:
        os.chdir(self._directory)
        return ""

    def _restore_locale(self) -> str:
        if locale.setlocale(locale.LC_ALL) != self._locale:
            locale.setlocale(locale.LC_ALL, self._locale)
        return ""

    def _restore_signals(self) -> str:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, before in self._signals.items():
            # None: a handler that was not set from Python and cannot be set again
            if handler_of(number) != before and before is not None:
                signal.signal(number, before)
        blocked(signal.SIG_SETMASK, self._blocked)
        return ""

    def _check_files(self) -> str:
        lost = [number for number, before in self._files.items() if identity(number) != before]
        return f"file descriptors closed or replaced: {lost}" if lost else ""


def attempt(step: Check) -> str:
    try:
        return step()
    except (OSError, ValueError, TypeError, locale.Error) as error:
        return f"{step.__name__.strip('_')} failed: {error}"


def check_trusted() -> str:
    replaced = [
        name
        for name, (module, attribute, real) in TRUSTED.items()
        if getattr(module, attribute, None) is not real
    ]
    return f"replaced and not put back: {', '.join(replaced)}" if replaced else ""


def raw_environment() -> dict[bytes, bytes]:
    """What `os.environ` holds, undecoded: comparing it costs a hundredth."""
    raw: dict[bytes, bytes] = vars(os.environ)["_data"]
    return raw


def put_back(name: str, value: bytes | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environb[os.fsencode(name)] = value


def identity(number: int) -> tuple[int, int] | None:
    """Which file a descriptor stands for, or None when it is closed."""
    try:
        inode, device = os.fstat(number)[1:3]
    except OSError:
        return None
    return inode, device


def current_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

"""Starts `manage.py` without the second it takes to import other people's libraries.

Run as a program it is a process that has imported them, and forks for every command it is told.
What a fork does from there on is what a new interpreter does: it reads the settings, imports what
rests on them and runs, in its own environment, directory, session and with its own streams.
"""

import atexit
import ctypes
import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Nothing that reads Django's settings; of ours only the SDK, which must import without them.
LIBRARIES = (
    "asyncio", "concurrent.futures.thread", "csp.middleware", "django.contrib.admin.utils",
    "django.contrib.admin.widgets", "django.contrib.auth.tokens", "django.core.cache",
    "django.core.handlers.asgi", "django.core.management.commands.runserver",
    "django.core.paginator", "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base", "django.db.migrations.executor", "django.forms",
    "django.middleware.csrf", "django.template.loader", "django.urls", "django.views.generic",
    "engine", "httpx", "jsonschema", "multiprocessing.queues", "multiprocessing.sharedctypes",
    "packaging.version", "psycopg_pool", "pydantic.type_adapter", "whitenoise.middleware",
)  # fmt: skip
#: Marks the processes of one site; a fork shows the environment its parent was started with.
MARK = "TEST_MARK"
UNMARKED = "0" * 32


class Started:
    """A command that was started: what tests use of `subprocess.Popen`."""

    def __init__(self, words: list[str], report: int) -> None:
        self.args = words
        self.returncode: int | None = None
        self._report = os.fdopen(report)
        self.pid = int(self._report.readline())

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        if (code := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._report], [], [], timeout)[0]:
            self.returncode = int(self._report.readline())
            self._report.close()
        return self.returncode


class Starter:
    """The process that forks, as its user sees it."""

    def __init__(self) -> None:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=os.environ | {MARK: UNMARKED},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(
        self, words: list[str], environment: Mapping[str, str], home: Path, out: Any, err: Any
    ) -> Started:
        """Run a script with its arguments; where `out` and `err` are none it has this process's."""
        streams = [1 if out is None else out.fileno(), 2 if err is None else err.fileno()]
        report, theirs = os.pipe()
        told = json.dumps([words, dict(environment), str(home)]).encode()
        try:
            socket.send_fds(self._link, [told], [*streams, theirs])
        finally:
            os.close(theirs)
        return Started(words, report)

    def close(self) -> None:
        self._link.close()
        self._process.wait(10)


@functools.cache
def starter() -> Starter:
    """The one of this process; it ends with it."""
    made = Starter()
    atexit.register(made.close)
    return made


def can_start(script: Path, environment: Mapping[str, str]) -> bool:
    """Whether a fork is what a new interpreter would be: what rules one is read at its start."""

    def rules(variables: Mapping[str, str]) -> dict[str, str]:
        return {
            k: v for k, v in variables.items() if k.startswith(("PYTHON", "LD_", "LC_", "LANG"))
        }

    return script == ROOT / "manage.py" and rules(environment) == rules(os.environ)


def serve(link: socket.socket) -> list[str]:
    """Fork for every command until nobody asks any more. Returns in forks: the words to run."""
    reports: dict[int, int] = {}
    ended, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        readable, *_ = select.select([link, ended], [], [])
        if ended in readable:
            os.read(ended, 100)
            tell_ends(reports)
        if link not in readable:
            continue
        told, passed, *_ = socket.recv_fds(link, 1 << 20, 3)
        if not told:
            os._exit(0)
        if not (pid := os.fork()):
            link.detach()
            return become(*json.loads(told), passed)
        reports[pid] = passed.pop()
        os.write(reports[pid], f"{pid}\n".encode())
        for descriptor in passed:
            os.close(descriptor)


def tell_ends(reports: dict[int, int]) -> None:
    while reports:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        report = reports.pop(pid)
        os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(report)


def become(
    words: list[str], environment: dict[str, str], home: str, passed: list[int]
) -> list[str]:
    """In the fork: be as a process that was just started."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.dup2(passed[0], 1)
    os.dup2(passed[1], 2)
    os.closerange(3, 1024)
    os.chdir(home)
    show(environment.get(MARK, UNMARKED))
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.path[0] = str(Path(words[0]).parent)
    return words


def show(mark: str) -> None:
    """Write the mark where the kernel reads the environment of this process and its forks."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    assert len(mark) == len(UNMARKED)
    ctypes.memmove(libc.getenv(MARK.encode()), mark.encode(), len(mark))


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    for name in LIBRARIES:
        importlib.import_module(name)
    sys.argv[:] = serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_path(sys.argv[0], run_name="__main__")

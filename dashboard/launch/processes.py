"""Child processes: started so that they cannot outlive us, stopped so that nothing of them stays."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a child may only make calls between fork and exec.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str], environment: Mapping[str, str], sockets: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a command in its own session; it is asked to stop when this process dies."""
    return subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        pass_fds=sockets,
        start_new_session=True,
        preexec_fn=_follow(os.getpid()),
    )


def django(*words: str) -> list[str]:
    """A management command of the project, as a child process."""
    return [sys.executable, "-m", "django", *words]


def python_path() -> dict[str, str]:
    """Lets children import what we can: the directory of manage.py need not be the current one."""
    known = [sys.path[0], *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {"PYTHONPATH": os.pathsep.join(path for path in known if path)}


def kill_session(leader: int) -> None:
    """SIGKILL everything that is left of the session a child led."""
    for pid in _members(leader):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _follow(parent: int) -> Callable[[], None]:
    def follow() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return follow


def _members(leader: int) -> Iterator[int]:
    if not Path("/proc/self/stat").exists():
        yield -leader  # its process group, where a session cannot be listed
        return
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # pid (name) state ppid pgrp session …; the name may hold spaces and brackets.
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                yield int(directory.name)

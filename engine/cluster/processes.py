"""Linux's ways of making sure nothing outlives its parent."""

import contextlib
import ctypes
import os
import signal
import sys
from multiprocessing import Process
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies, also if it is dead already."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, double forks included."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def name_process(name: str) -> None:
    """What `ps` and `top` show of this process, at most 15 letters."""
    _prctl(PR_SET_NAME, name.encode())


def _prctl(option: int, value: int | bytes) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def children(pid: int) -> list[int]:
    """Direct children of a process; empty where the system does not tell."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    found = children(pid)
    return found + [deeper for child in found for deeper in descendants(child)]


def kill_tree(pid: int) -> None:
    """Kill a process, its group and everything below it."""
    below = descendants(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for victim in [pid, *below]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(victim, signal.SIGKILL)


def sweep_children(known: set[int]) -> int:
    """Kill and reap every child that is not `known`. Returns how many there were."""
    if not has_children():
        return 0
    strangers = [pid for pid in children(os.getpid()) if pid not in known]
    for pid in strangers:
        kill_tree(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return len(strangers)


def has_children() -> bool:
    """Whether this process has any child, dead ones included; one system call."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def memory_of(pid: int) -> int:
    """Resident bytes of a process and everything below it."""
    return sum(map(resident, [pid, *descendants(pid)]))


def resident(pid: int) -> int:
    """Bytes of memory of a process that no other one has."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")


def end_of(process: Process, patience: float) -> None:
    """Wait for a child's end, and see to it after `patience` seconds."""
    process.join(patience)
    if process.is_alive():
        kill_tree(process.pid or 0)
        process.join(1)

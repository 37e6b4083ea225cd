"""Processes the measurements start: output kept in a file, stopped by pid, CPU counted by tree."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 20


class MeasurementError(Exception):
    """A process ended when it should not have, or did not do its work in time."""


class Process:
    """One started command, its output in a file until somebody asks for it."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], sockets: Sequence[int] = ()
    ) -> None:
        self.command = list(command)
        self.output = tempfile.TemporaryFile()  # noqa: SIM115  closed by stop()
        self.popen = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            process_group=0,
            pass_fds=sockets,
        )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def check(self) -> None:
        """Raise MeasurementError if it has ended."""
        if self.popen.poll() is not None:
            raise MeasurementError(f"{' '.join(self.command)} ended:\n{self.said()}")

    def said(self) -> str:
        """The last of what it wrote."""
        self.output.seek(max(0, self.output.seek(0, os.SEEK_END) - 4000))
        return self.output.read().decode(errors="replace")

    def stop(self) -> None:
        """SIGTERM to it alone; whatever of its tree is left after the grace is killed."""
        tree = family(self.pid)
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        for process in tree:
            if process.is_running() and process.pid != self.pid:
                process.kill()
        self.output.close()


@contextmanager
def running(
    *commands: Sequence[str], environment: Mapping[str, str], sockets: Sequence[int] = ()
) -> Iterator[list[Process]]:
    """Start every command at once; all are stopped when the block ends."""
    with ExitStack() as stack:
        processes = []
        for command in commands:
            processes.append(Process(command, environment, sockets))
            stack.callback(processes[-1].stop)
        yield processes


def run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command to its end; its standard output."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MeasurementError(
            f"{' '.join(command)} exited {done.returncode}:\n{done.stderr[-4000:]}"
        )
    return done.stdout


def wait_until(
    predicate: Callable[[], object],
    processes: Sequence[Process] = (),
    *,
    within: float,
    every: float = 0.1,
) -> float:
    """Seconds until `predicate` held. MeasurementError when a process ends or the time is up."""
    begun = time.monotonic()
    while not predicate():
        for process in processes:
            process.check()
        if time.monotonic() - begun > within:
            said = "\n".join(process.said() for process in processes)
            raise MeasurementError(f"Not done within {within:g} s.\n{said}")
        time.sleep(every)
    return time.monotonic() - begun


def family(pid: int) -> list[psutil.Process]:
    """The process and all its living descendants."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(*pids: int) -> float:
    """CPU used so far by the whole trees under `pids`, ended and waited-for children included."""
    total = 0.0
    for process in (member for pid in pids for member in family(pid)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total

"""`manage.py up` as a test sees it: its lines, its address, its processes."""

import os
import re
import signal
from pathlib import Path

import httpx
import psutil

from tests.support.instance import Instance
from tests.support.postgres import free_port
from tests.support.waiting import eventually


class Up:
    """A started `manage.py up`."""

    def __init__(self, instance: Instance, *flags: str, **environment: str) -> None:
        self._log = instance.home / "up.log"
        self.address = f"http://127.0.0.1:{(port := free_port())}"
        with self._log.open("w") as out:
            self.process = instance.start("up", "--port", str(port), *flags, out=out, **environment)

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def static(self) -> Path:
        """The files it collected."""
        return self._log.parent / "var" / "static"

    @property
    def link(self) -> str:
        """The first login link it printed."""
        found = eventually(lambda: re.search(r"^Log in +(\S+)", self.output, re.M), within=30)
        return found.group(1)

    def ready(self) -> "Up":
        """Wait until the web server answers."""
        assert self.link
        httpx.get(f"{self.address}/login/", timeout=30).raise_for_status()
        return self

    def children(self) -> list[psutil.Process]:
        """Every process below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, word: str) -> psutil.Process:
        """Its own child whose command line has this word."""
        return eventually(lambda: self._find(word))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def stop(self, within: float = 20) -> int:
        """As Ctrl-C; returns the exit code."""
        self.signal(signal.SIGINT)
        return self.process.wait(within)

    def _find(self, word: str) -> psutil.Process | None:
        children = psutil.Process(self.process.pid).children()
        return next((child for child in children if word in command_line(child)), None)


def command_line(process: psutil.Process) -> str:
    """Empty for one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs any more."""
    return not any(runs(process) for process in processes)


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def write(directory: Path, name: str, text: str) -> Path:
    """A task file."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(text)
    return path

"""Machines of a network: each with a network, a name and processes of its own (Linux namespaces)."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest

from tests.support.instance import ROOT
from tests.support.site import kill
from tests.support.waiting import eventually

#: A private network nobody is likely to have; the first address is the one all share.
PREFIX = "10.213.77"
GATEWAY = f"{PREFIX}.1"
#: The name of a machine is its own; so is the numbering of its processes.
ALONE = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
NAMED = ["sh", "-c", 'hostname "$0"; exec "$@"']


class Machine:
    """Where processes run that share nothing with others but the network and the disk."""

    def __init__(self, name: str, number: int, bridge: str) -> None:
        self.name, self.address = name, f"{PREFIX}.{number + 1}"
        self.space, self.cable = (
            f"trackside-{os.getpid()}-{number}",
            f"tsm{os.getpid()}-{number}"[-15:],
        )
        self.processes: list[subprocess.Popen[bytes]] = []
        inside = f"{self.cable}i"[-15:]
        ip("netns", "add", self.space)
        ip("link", "add", self.cable, "type", "veth", "peer", "name", inside)
        ip("link", "set", inside, "netns", self.space, "name", "eth0")
        ip("link", "set", self.cable, "master", bridge, "up")
        ip("-n", self.space, "address", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", self.space, "link", "set", device, "up")

    def start(self, words: list[str], environment: Mapping[str, str], home: Path) -> None:
        """Run a Python program there; its output goes to a file named after the machine."""
        command = [
            "ip",
            "netns",
            "exec",
            self.space,
            *ALONE,
            *NAMED,
            self.name,
            sys.executable,
            *words,
        ]
        with (home / f"{self.name}.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    command,
                    env={**environment, "PYTHONPATH": str(ROOT)},
                    cwd=home,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def pids(self) -> list[int]:
        """Of everything that runs there, as this machine numbers them."""
        found = subprocess.run(
            ["ip", "netns", "pids", self.space], check=True, capture_output=True, text=True
        )
        return [int(word) for word in found.stdout.split()]

    def cut(self) -> None:
        """Pull the cable out: nothing tells anybody."""
        ip("link", "set", self.cable, "down")

    def mend(self) -> None:
        ip("link", "set", self.cable, "up")

    def freeze(self) -> None:
        """As a hypervisor does that moves it: not one instruction is executed."""
        for pid in self.pids():
            kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self.pids():
            kill(pid, signal.SIGCONT)

    def crash(self) -> None:
        """Everything there ends at once."""
        while pids := self.pids():
            for pid in pids:
                kill(pid, signal.SIGKILL)
        for process in self.processes:
            process.wait(10)

    def remove(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self.crash()
        ip("netns", "delete", self.space)
        # its end of the cable goes with it, in a moment
        eventually(lambda: not Path(f"/sys/class/net/{self.cable}").exists())


class Network:
    """Machines on one bridge; this one has the address GATEWAY."""

    def __init__(self) -> None:
        self.bridge = f"tsb{os.getpid()}"
        self._stack = ExitStack()
        self._number = 0

    def __enter__(self) -> Self:
        ip("link", "add", self.bridge, "type", "bridge")
        self._stack.callback(ip, "link", "delete", self.bridge)
        ip("address", "add", f"{GATEWAY}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def machine(self, name: str) -> Machine:
        self._number += 1
        made = Machine(name, self._number, self.bridge)
        self._stack.callback(made.remove)
        return made


@contextmanager
def network() -> Iterator[Network]:
    """One of a test's own; skips where this machine does not allow it."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("network namespaces need root, ip (iproute2) and unshare (util-linux)")
    try:
        made = Network().__enter__()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine allows no network of its own: {error.stderr.decode().strip()}")
    try:
        yield made
    finally:
        made.__exit__()


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)

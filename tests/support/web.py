"""A web server on a test's database."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from dashboard.launch.processes import kill_session
from runs.lifecycle import apikeys
from tests.support.instance import ROOT, Instance
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Web:
    """Where it answers, and a secret key for it."""

    url: str
    key: str

    def request(self, method: str, path: str, **others: object) -> httpx.Response:
        """A request with the key; `path` begins with a slash."""
        headers = {"authorization": f"Bearer {self.key}", **others.pop("headers", {})}
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=30, **others)


@contextmanager
def serving(instance: Instance, **environment: str) -> Iterator[Web]:
    """Starts one as `up` does; the models must be in view."""
    _, key = apikeys.create("of the web server", actor="cli:tests")
    log = (instance.home / "web.log").open("w")
    with log, socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard.launch.web", str(listening.fileno())],
            env={**instance.environment, "PYTHONPATH": str(ROOT), "TRACKSIDE_URL": url}
            | environment,
            cwd=instance.home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )
        try:
            eventually(lambda: answers(url), within=30)
            yield Web(url, key)
        finally:
            process.terminate()
            try:
                process.wait(5)
            finally:
                kill_session(process.pid)
                process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v1/runs", timeout=5).status_code == 401
    except httpx.TransportError:
        return False

"""Web servers that are killed and started again behind the same address."""

import os
import socket
import subprocess
import sys

from dashboard.launch.processes import kill_session
from tests.chaos import watching
from tests.support.instance import ROOT, Instance


class WebServer:
    """One process on a socket that outlives it: who calls meanwhile waits."""

    def __init__(self, instance: Instance, number: int) -> None:
        self.instance, self.number = instance, number
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        descriptor = self.socket.fileno()
        with (self.instance.home / f"web-{self.number}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dashboard.launch.web", str(descriptor)],
                env={
                    **os.environ,
                    **self.instance.environment,
                    "PYTHONPATH": str(ROOT),
                    "PGAPPNAME": watching.NAME,
                },
                cwd=self.instance.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[descriptor],
                start_new_session=True,
            )

    def kill(self) -> None:
        if self.process is not None:
            kill_session(self.process.pid)
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        self.kill()
        self.socket.close()

"""A private PostgreSQL for one test run: own directory, own port, stopped with the run."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.cluster.processes import children
from tests.support.waiting import eventually

#: As a careful administrator runs it: nothing is acknowledged before it is on disk.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "log_min_messages": "fatal",
}
#: For a server nobody crashes: what is acknowledged need not be on disk.
CARELESS = {"fsync": "off", "full_page_writes": "off"}


class Postgres:
    """One server. `url` is an empty database of it."""

    def __init__(self, settings: Mapping[str, str] = SETTINGS) -> None:
        self._settings = settings
        self._directory = Path(tempfile.mkdtemp(prefix="trackside-postgres-"))
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self._port}/postgres"

    @property
    def local(self) -> str:
        """The same database by its Unix socket, as programs of one Debian machine reach it."""
        return f"postgres://postgres@/postgres?host={self._directory}&port={self._port}"

    @property
    def pid(self) -> int:
        """Of the postmaster; the parent of all its processes."""
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """Create the cluster and start the server; returns when it answers."""
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        self.serve()

    def serve(self) -> None:
        """Start the server on the data it has, also after `crash`."""
        settings = {**self._settings, "unix_socket_directories": str(self._directory)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                [program("postgres"), "-D", self._data, "-p", str(self._port), *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests; they stop the server when they are done.
                start_new_session=True,
                **self._owner(),
            )
        eventually(self._answers, within=30)

    def crash(self, number: signal.Signals) -> None:
        """End the server without a word to its clients: SIGQUIT is `pg_ctl stop -m immediate`."""
        assert self._server is not None
        backends = children(self._server.pid)
        self._server.send_signal(number)
        self._server.wait(30)
        # Killed, it leaves them behind; they notice, but the next server must not meet them.
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in backends), within=30)

    def stop(self) -> None:
        """Stop at once (its data is thrown away) and remove everything."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(30)
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def log(self) -> Path:
        return self._directory / "log"

    @property
    def _data(self) -> str:
        return str(self._directory / "data")

    def _answers(self) -> bool:
        assert self._server is not None
        if self._server.poll() is not None:
            raise RuntimeError(self.log.read_text())
        ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(ready, check=False).returncode == 0

    def _run(self, name: str, *words: str) -> None:
        subprocess.run(
            [program(name), *words], check=True, stdout=subprocess.DEVNULL, **self._owner()
        )

    def _owner(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root: then it runs as the account Debian made for it."""
        if os.geteuid() != 0:
            return {}
        account = pwd.getpwnam("postgres")
        os.chown(self._directory, account.pw_uid, account.pw_gid)
        return {
            "user": account.pw_uid,
            "group": account.pw_gid,
            "extra_groups": [],
            "cwd": self._directory,
        }


def program(name: str) -> str:
    """The path of a PostgreSQL program: the newest of Debian's, else the one on PATH."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])
    )
    if found := str(debian[-1]) if debian else shutil.which(name):
        return found
    raise RuntimeError(f"The tests need PostgreSQL, but there is no “{name}”. Run: make test")


def free_port() -> int:
    """A port of this machine nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])

"""A private PostgreSQL server with the configuration initdb writes, gone when the block ends."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

ACCOUNT = "postgres"
START_SECONDS = 30
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its postmaster's pid and where it listens."""

    pid: int
    port: int
    directory: Path

    def url(self, database: str = "postgres") -> str:
        return f"postgres://{ACCOUNT}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.url(database), autocommit=True)

    def create(self, database: str, template: str = "template1") -> str:
        """Make `database` anew, as a copy of `template`; its URL."""
        name, source = sql.Identifier(database), sql.Identifier(template)
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, source))
        return self.url(database)

    def settle(self, database: str) -> None:
        """Fresh statistics and nothing left to write: the same start for everyone measured."""
        with self.connect(database) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")


@contextmanager
def postgres() -> Iterator[Server]:
    """A durable server (fsync and synchronous_commit on) on a free port of the loopback."""
    directory = Path(tempfile.mkdtemp(prefix="trackside-postgres-"))
    account = ACCOUNT if os.getuid() == 0 else None
    process = None
    try:
        _initialise(directory, account)
        port = free_port()
        process = _launch(directory, port, account)
        server = Server(process.pid, port, directory)
        _wait_until_up(server, process)
        _check_durability(server)
        yield server
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(directory, ignore_errors=True)


def binary(name: str) -> str:
    """Path of a PostgreSQL program: the newest Debian installs, else the one on PATH."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3])
    )
    found = str(versions[-1]) if versions else shutil.which(name)
    if not found:
        raise SystemExit(f"PostgreSQL's {name} is not installed: apt-get install postgresql.")
    return found


def _initialise(directory: Path, account: str | None) -> None:
    if account:
        entry = pwd.getpwnam(account)
        os.chown(directory, entry.pw_uid, entry.pw_gid)
    command = [binary("initdb"), "-D", str(directory / "data"), "-U", ACCOUNT]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    subprocess.run(
        command, check=True, user=account, group=account, cwd="/", stdout=subprocess.DEVNULL
    )


def _launch(directory: Path, port: int, account: str | None) -> subprocess.Popen[bytes]:
    command = [binary("postgres"), "-D", str(directory / "data"), "-p", str(port)]
    command += ["-k", str(directory), "-h", "127.0.0.1"]
    with (directory / "log").open("wb") as log:
        # its own process group: a Ctrl-C at the terminal is for us, we stop the server in order
        return subprocess.Popen(
            command,
            user=account,
            group=account,
            cwd="/",
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )


def _wait_until_up(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.connect().close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (server.directory / "log").read_text(errors="replace")
                raise SystemExit(f"PostgreSQL did not start:\n{log}") from None
            time.sleep(0.05)


def _check_durability(server: Server) -> None:
    """A figure without durable commits would be worth nothing."""
    with server.connect() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            row = connection.execute(f"SHOW {setting}").fetchone()
            if row != ("on",):
                raise SystemExit(f"PostgreSQL runs with {setting} off.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port of the loopback nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

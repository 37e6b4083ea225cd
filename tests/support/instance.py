"""A Trackside of a test's own: a database, an environment, and the processes it starts."""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psycopg
from django.db import connection

from dashboard.launch.processes import kill_session
from tests.support.postgres import free_port
from tests.support.starter import Started, can_start, starter

ROOT = Path(__file__).resolve().parents[2]
TASKS = Path(__file__).with_name("tasks")
#: Timers scaled down, so that what takes a minute in production takes a second here.
QUICK = {
    "TRACKSIDE_DRAIN_SECONDS": "3",
    "TRACKSIDE_CANCEL_GRACE_SECONDS": "1",
    "TRACKSIDE_TIMEOUT_GRACE_SECONDS": "1",
    "TRACKSIDE_HEARTBEAT_SECONDS": "0.5",
    "TRACKSIDE_LEASE_SECONDS": "3",
    "TRACKSIDE_SWEEP_SECONDS": "0.3",
    "TRACKSIDE_POLL_SECONDS": "0.5",
}


@dataclass
class Instance:
    """Runs management commands against one database. Everything it starts ends with it."""

    environment: dict[str, str]
    home: Path
    script: Path = ROOT / "manage.py"
    _started: list[Started | subprocess.Popen[str]] = field(default_factory=list)

    def manage(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `manage.py …` to its end."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = self._start(list(words), self.environment | environment, out, err)
            code = process.wait(60)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(list(words), code, out.read(), err.read())

    def start(
        self, *words: str, out: IO[Any] | None = None, **environment: str
    ) -> Started | subprocess.Popen[str]:
        """Start `manage.py …` in a session of its own."""
        return self._start(list(words), self.environment | environment, out, out)

    def _start(
        self,
        words: list[str],
        environment: dict[str, str],
        out: IO[Any] | None,
        err: IO[Any] | None,
    ) -> Started | subprocess.Popen[str]:
        words = [str(self.script), *words]
        process: Started | subprocess.Popen[str]
        if can_start(self.script, environment):
            process = starter().start(words, environment, self.home, out, err)
        else:
            process = subprocess.Popen(
                [sys.executable, *words],
                env=environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            process.kill()
            kill_session(process.pid)
            process.wait()


@contextmanager
def running(url: str, home: Path) -> Iterator[Instance]:
    """An instance over the database at `url`."""
    environment = {
        **os.environ,
        **QUICK,
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "DATABASE_URL": url,
        "TRACKSIDE_DATA_DIR": str(home / "var"),
        "TRACKSIDE_TASK_DIRS": str(TASKS),
        "PORT": str(free_port()),  # the usual one is everybody's
    }
    instance = Instance(environment, home)
    try:
        yield instance
    finally:
        instance.close()


def database_url() -> str:
    """DATABASE_URL of the database the tests of this process use."""
    return url_of(str(connection.settings_dict["NAME"]))


@contextmanager
def started_anew(home: Path) -> Iterator[Instance]:
    """As a new user has it: a database without tables, and nothing started."""
    with empty_database(home) as url, running(url, home) as instance:
        yield instance


@contextmanager
def empty_database(home: Path) -> Iterator[str]:
    """DATABASE_URL of a new database without tables."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{home / 'fresh.sqlite3'}"
        return
    name = f"fresh_{uuid.uuid4().hex[:12]}"
    administrate(f"CREATE DATABASE {name}")
    try:
        yield url_of(name)
    finally:
        administrate(f"DROP DATABASE {name} WITH (FORCE)")


def url_of(name: str) -> str:
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    settings = connection.settings_dict
    return f"postgres://{settings['USER']}@{settings['HOST']}:{settings['PORT']}/{name}"


def administrate(statement: str) -> None:
    with psycopg.connect(url_of("postgres"), autocommit=True) as server:
        server.execute(statement)  # a name we made up

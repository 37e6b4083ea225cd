"""A Trackside project under measurement: its database, its cluster, its web server."""

import json
import os
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.support.postgres import Server
from benchmarks.support.processes import ROOT, Process, run, running, wait_until
from tests.support.postgres import free_port

WORKERS = 2
UNFINISHED = "SELECT count(*) FROM runs_run WHERE finished_at IS NULL"
START_SECONDS = 60
TASKS = ROOT / "benchmarks" / "tasks"
ALIVE = "SELECT count(*) FROM runs_workersession WHERE state = 'ALIVE'"


@dataclass(frozen=True, slots=True)
class Project:
    """One database and a directory of its own; commands run as a deployment's would."""

    database_url: str
    directory: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": os.environ.get(
                "DJANGO_SETTINGS_MODULE", "dashboard.settings"
            ),
            "DATABASE_URL": self.database_url,
            "TRACKSIDE_DATA_DIR": str(self.directory),
            "TRACKSIDE_TASK_DIRS": str(TASKS),
            "TRACKSIDE_VERSION": "bench",
            "WORKERS": str(WORKERS),
            **self.settings,
        }

    def manage(self, *words: str) -> str:
        """Run a management command to its end."""
        return run([sys.executable, "manage.py", *words], self.environment)

    def inside(self, function: str, **arguments: Any) -> Any:
        """Call `module.function` of `benchmarks.inside` in a Django process; its answer, as JSON."""
        command = [sys.executable, "-m", "benchmarks.inside", function, json.dumps(arguments)]
        return json.loads(run(command, self.environment).splitlines()[-1])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the database past Django."""
        if self.database_url.startswith("sqlite"):
            path = self.database_url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=15)) as connection:
                return connection.execute(query).fetchall()
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def value(self, query: str) -> Any:
        return self.rows(query)[0][0]

    @contextmanager
    def cluster(self) -> Iterator[Process]:
        """A cluster that is up and claiming; drained when the block ends."""
        with self.starting_cluster() as process:
            wait_until(lambda: self.value(ALIVE), [process], within=START_SECONDS)
            yield process

    @contextmanager
    def starting_cluster(self) -> Iterator[Process]:
        """A cluster that was just started."""
        command = [sys.executable, "manage.py", "qcluster"]
        environment = {**self.environment, "TRACKSIDE_PROCESS": "cluster"}
        with running(command, environment=environment) as [process]:
            yield process

    @contextmanager
    def web(self) -> Iterator[tuple[Process, str]]:
        """The web server as `manage.py up` starts it, and its address."""
        self.manage("collectstatic", "--no-input", "--verbosity", "0")
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port, descriptor = listening.getsockname()[1], listening.fileno()
            command = [sys.executable, "-m", "dashboard.launch.web", str(descriptor)]
            environment = {**self.environment, "TRACKSIDE_PROCESS": "web", "PORT": str(port)}
            with running(command, environment=environment, sockets=[descriptor]) as [process]:
                yield process, f"http://127.0.0.1:{port}"

    @contextmanager
    def everything(self) -> Iterator[Process]:
        """Web and cluster under one command, `manage.py up`."""
        command = [sys.executable, "manage.py", "up"]
        environment = {**self.environment, "PORT": str(free_port())}
        with running(command, environment=environment) as [process]:
            wait_until(lambda: self.value(ALIVE), [process], within=START_SECONDS)
            yield process


@contextmanager
def on_postgres(server: Server, name: str = "trackside", **settings: str) -> Iterator[Project]:
    """A fresh, migrated project on PostgreSQL whose cluster knows the benchmark's tasks."""
    with tempfile.TemporaryDirectory(prefix="trackside-bench-") as directory:
        yield _prepared(Project(server.create(name), Path(directory), settings))


@contextmanager
def on_sqlite(**settings: str) -> Iterator[Project]:
    """The same on SQLite."""
    with tempfile.TemporaryDirectory(prefix="trackside-bench-") as directory:
        url = f"sqlite:///{directory}/trackside.sqlite3"
        yield _prepared(Project(url, Path(directory), settings))


@contextmanager
def on_database(url: str, **settings: str) -> Iterator[Project]:
    """A project on a database that is there and stays."""
    with tempfile.TemporaryDirectory(prefix="trackside-bench-") as directory:
        yield Project(url, Path(directory), settings)


def _prepared(project: Project) -> Project:
    project.manage("migrate", "--verbosity", "0")
    project.inside("seeding.register", names=task_names())
    return project


def task_names() -> Sequence[str]:
    """Ids of the tasks in benchmarks/tasks, as a cluster will register them."""
    names = ("noop", "async-noop", "keyed", "stamp", "steps", "waits", "children")
    return [f"bench-{name}" for name in names]

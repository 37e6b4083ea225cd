"""A database of a test module's own, clusters on it, and what they did."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, connections

from dashboard.conf.database import from_url
from engine import wakeup
from engine.cluster.processes import children, descendants
from runs import lifecycle
from runs.lifecycle import TriggerItem, TriggerOptions, definitions
from runs.models import Run, SessionState, WorkerSession
from runs.models.run import Source
from runs.states import FINAL, RunStatus
from tests.support.instance import Instance, administrate, empty_database, running, url_of
from tests.support.starter import MARK, Started
from tests.support.waiting import eventually

TASKS = Path(__file__).resolve().parents[1] / "acceptance" / "tasks"
#: Production's ratios, so small that a lost cluster is noticed within seconds.
TIMERS = {
    "TRACKSIDE_HEARTBEAT_SECONDS": "0.5",
    "TRACKSIDE_LEASE_SECONDS": "2",
    "TRACKSIDE_SWEEP_SECONDS": "0.3",
    "TRACKSIDE_DRAIN_SECONDS": "1",
    "TRACKSIDE_CANCEL_GRACE_SECONDS": "0.7",
    "TRACKSIDE_TIMEOUT_GRACE_SECONDS": "0.3",
    "TRACKSIDE_ASYNC_SLOTS": "0",
}


class Cluster:
    """One `manage.py qcluster` and the processes below it."""

    def __init__(self, process: Started | subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def sentinel(self) -> int:
        return children(self.pid)[0]

    def named(self, name: str) -> list[int]:
        """The sentinel's living children of one kind: worker, dispatcher or bookkeeper."""
        below = [pid for sentinel in children(self.pid) for pid in children(sentinel)]
        alive = [pid for pid in below if not is_zombie(pid)]
        return [pid for pid in alive if comm(pid) == f"ts-{name}"]

    def only(self, name: str) -> int:
        return eventually(lambda: self.named(name))[0]

    @property
    def tree(self) -> list[int]:
        return [self.pid, *descendants(self.pid)]

    def send(self, number: signal.Signals) -> None:
        """A signal to every process of the cluster."""
        for pid in self.tree:
            kill(pid, number)

    def pause(self) -> None:
        """Stop every process of the cluster, for `send(SIGCONT)` to go on."""
        pause(*self.tree)

    def ended(self, within: float = 30) -> int:
        """Wait for the exit code; on a busy machine a cluster's last words take their time."""
        return self.process.wait(within)

    def stop(self) -> int:
        """Ask as a service manager does; twice, when it takes its time."""
        with suppress(subprocess.TimeoutExpired):
            self.process.terminate()
            return self.process.wait(4)
        self.process.terminate()
        return self.process.wait(30)


@dataclass
class Site:
    """A Trackside to break: triggers through the models, clusters as processes, notes as evidence."""

    instance: Instance
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    accepted: list[str] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.instance.home

    @property
    def url(self) -> str:
        return self.instance.environment["DATABASE_URL"]

    @property
    def ledger(self) -> Path:
        return self.home / "ledger"

    def cluster(self, workers: int = 2, tasks: Path | None = None, **environment: str) -> Cluster:
        """Start a cluster and wait until its workers are ready for runs."""
        cluster = self.launch(workers, tasks, **environment)
        eventually(lambda: self.is_ready(cluster, workers), within=30)
        assert cluster.pid in self.marked()
        definitions.forget()
        return cluster

    def launch(self, workers: int = 2, tasks: Path | None = None, **environment: str) -> Cluster:
        variables = {
            MARK: self.mark,
            "TEST_LEDGER": str(self.ledger),
            "TRACKSIDE_TASK_DIRS": str(tasks or TASKS),
            **TIMERS,
            **environment,
        }
        with (self.home / "log").open("a") as log:
            process = self.instance.start(
                "qcluster", "--workers", str(workers), out=log, **variables
            )
        self.clusters.append(Cluster(process))
        return self.clusters[-1]

    def is_ready(self, cluster: Cluster, workers: int) -> bool:
        assert cluster.process.poll() is None, (self.home / "log").read_text()
        return sum(slot["state"] in ("FREE", "RUNNING") for slot in self.slots(cluster)) >= workers

    def slots(self, cluster: Cluster) -> list[dict[str, Any]]:
        """What its workers did at its last heartbeat."""
        session = self.session(cluster)
        return json.loads(session.workers or "[]") if session else []

    def session(self, cluster: Cluster) -> WorkerSession | None:
        """The newest living session of a cluster."""
        alive = WorkerSession.objects.filter(pid=cluster.pid, state=SessionState.ALIVE)
        return alive.order_by("-started_at").first()

    def trigger(self, task: str, payload: Any = None, **options: Any) -> str:
        found = lifecycle.trigger(
            task, json.dumps(payload), TriggerOptions(**options), source=Source.API
        )
        self.accepted.append(found.run_id)
        return found.run_id

    def trigger_many(self, task: str, payloads: list[Any], **options: Any) -> list[str]:
        items = [
            TriggerItem(
                task_id=task, payload=json.dumps(payload), options=TriggerOptions(**options)
            )
            for payload in payloads
        ]
        ids = [made.run_id for made in lifecycle.trigger_many(items, source=Source.API)]
        self.accepted += ids
        return ids

    def hold(self, task: str = "hold", **options: Any) -> tuple[str, Path]:
        """A run that executes until the file is touched; returns when its start is on record."""
        until = self.home / f"go-{uuid.uuid4().hex}"
        run_id = self.trigger(task, {"until": str(until)}, **options)
        eventually(lambda: self.entered(run_id) and self.run(run_id).executed_at)
        return run_id, until

    def run(self, run_id: str) -> Run:
        return Run.objects.get(pk=run_id)

    def ended(self, run_id: str, within: float = 20) -> Run:
        """The run, once it is final."""
        final = Run.objects.filter(pk=run_id, status__in=FINAL)
        eventually(final.exists, within=within)
        return final.get()

    def completed(self, run_id: str, within: float = 20) -> Run:
        run = self.ended(run_id, within)
        assert run.status == RunStatus.COMPLETED, (run.status, run.error, run.reason)
        return run

    def notes(self) -> list[dict[str, Any]]:
        """What bodies wrote down, oldest first."""
        text = self.ledger.read_text() if self.ledger.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def entered(self, run_id: str) -> list[dict[str, Any]]:
        return [n for n in self.notes() if n["run"] == run_id and n["what"] == "enter"]

    def marked(self) -> list[int]:
        """Every living process that stems from this site, whoever its parent is."""
        needle = f"{MARK}={self.mark}".encode()
        return [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/environ")
            if needle in read(path) and not is_zombie(int(path.parent.name))
        ]

    def in_view(self) -> AbstractContextManager[None]:
        """While entered, the models of this process show this site's database."""
        return pointed_at(self.url)

    def stop(self) -> None:
        for cluster in self.clusters:
            if cluster.process.poll() is None:
                cluster.stop()

    def close(self) -> None:
        """Kill whatever is left."""
        for pid in self.marked():
            kill(pid, signal.SIGKILL)
        self.instance.close()


@contextmanager
def site_on(url: str, home: Path) -> Iterator[Site]:
    """A site over a database without tables."""
    with running(url, home) as instance:
        site = Site(instance)
        with site.in_view():
            call_command("migrate", verbosity=0)
        try:
            yield site
        finally:
            site.close()


@contextmanager
def new_site(template: str, home: Path) -> Iterator[Site]:
    """A site over a copy of the migrated database `template`."""
    with copied(template, home) as url, running(url, home) as instance:
        site = Site(instance)
        try:
            yield site
        finally:
            site.close()


@contextmanager
def copied(template: str, home: Path) -> Iterator[str]:
    if connection.vendor == "sqlite":
        shutil.copy(template, home / "site.sqlite3")
        yield url_of(str(home / "site.sqlite3"))
        return
    name = f"site_{uuid.uuid4().hex[:12]}"
    administrate(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield url_of(name)
    finally:
        administrate(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def new_template(home: Path) -> Iterator[str]:
    """The name of a migrated database nobody uses, to copy from."""
    with empty_database(home) as url:
        with pointed_at(url):
            call_command("migrate", verbosity=0)
        yield (
            url.removeprefix("sqlite:///") if connection.vendor == "sqlite" else url.split("/")[-1]
        )


@contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """Let the models of this process use another database."""
    settings = connections.settings["default"]
    before = dict(settings)
    change_to(settings, before | from_url(url))
    try:
        yield
    finally:
        change_to(settings, before)


def change_to(settings: dict[str, Any], wanted: dict[str, Any]) -> None:
    connections.close_all()
    settings.clear()
    settings.update(wanted)
    with suppress(AttributeError):  # there is none yet
        del connections["default"]
    definitions.forget()
    wakeup._notifier = None


def comm(pid: int) -> str:
    return read(Path(f"/proc/{pid}/comm")).decode().strip()


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def is_zombie(pid: int) -> bool:
    return b") Z " in read(Path(f"/proc/{pid}/stat"))


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() or is_zombie(pid)


def kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def pause(*pids: int) -> None:
    """Stop processes where none of them keeps every other from writing, as on SQLite one may."""

    def stopped() -> bool:
        for pid in pids:
            kill(pid, signal.SIGSTOP)
        if connection.vendor != "sqlite" or is_free(f"{connection.settings_dict['NAME']}.gate"):
            return True
        for pid in pids:
            kill(pid, signal.SIGCONT)
        return False

    eventually(stopped)


def is_free(gate: str) -> bool:
    """Whether anybody may write to this SQLite database, now or in a moment."""
    with open(gate, "w") as opened:
        for _ in range(100):
            with suppress(BlockingIOError):
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(0.001)
    return False

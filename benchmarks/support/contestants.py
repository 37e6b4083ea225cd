"""Everyone who runs no-op jobs in the throughput measurement, ourselves included."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from benchmarks.support.environments import PEERS, interpreter
from benchmarks.support.postgres import Server
from benchmarks.support.processes import Process, run, running, wait_until
from benchmarks.support.project import UNFINISHED, WORKERS, Project, on_postgres
from benchmarks.support.report import progress

START_SECONDS = 60
LIMIT_SECONDS = 900


@dataclass(frozen=True)
class Peer:
    """Another engine: its script, its settings and how its own tables tell what is done.

    `remaining` counts unfinished jobs. `span` gives the first start and the last end as Unix
    seconds; an engine that keeps no times has none, and its clock runs from the first job gone.
    """

    name: str
    label: str
    requirements: str
    remaining: str
    span: str = ""
    processes: int = WORKERS
    settings: dict[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def database(self) -> str:
        return f"peer_{self.name.replace('-', '_')}"

    @contextmanager
    def loaded(self, server: Server, count: int) -> Iterator[None]:
        """`count` jobs queued in a database of its own."""
        self.say(server.create(self.database), "setup")
        self.say(server.url(self.database), "preload", str(count))
        yield

    @contextmanager
    def working(self, server: Server) -> Iterator[list[Process]]:
        """Its workers, just started."""
        commands = [self.command("work")] * self.processes
        with running(*commands, environment=self.environment(server.url(self.database))) as started:
            yield started

    def say(self, url: str, *words: str) -> str:
        return run(self.command(*words), self.environment(url))

    def command(self, *words: str) -> list[str]:
        script = PEERS / f"{self.requirements.replace('-', '_')}_peer.py"
        return [interpreter(self.requirements), str(script), *words]

    def environment(self, url: str) -> dict[str, str]:
        return {"BENCH_DATABASE": url, **self.settings}


@dataclass(frozen=True)
class Ours:
    """Trackside itself: run, attempt and events of every run are kept."""

    name: str = "trackside"
    label: str = "Trackside"
    task: str = "bench-noop"
    remaining: str = UNFINISHED
    span: str = """
        SELECT extract(epoch FROM min(r.executed_at)), extract(epoch FROM max(r.finished_at)),
               count(*) FILTER (WHERE r.status = 'COMPLETED'),
               (SELECT count(*) FROM runs_attempt WHERE status = 'COMPLETED'),
               (SELECT count(DISTINCT run_id) FROM runs_event WHERE kind = 'completed')
          FROM runs_run r"""
    projects: list[Project] = field(default_factory=list, compare=False)

    @property
    def database(self) -> str:
        return self.name.replace("-", "_")

    @contextmanager
    def loaded(self, server: Server, count: int) -> Iterator[None]:
        with on_postgres(server, self.database) as project:
            project.inside("seeding.noops", count=count, task=self.task)
            self.projects[:] = [project]
            yield

    @contextmanager
    def working(self, server: Server) -> Iterator[list[Process]]:
        with self.projects[0].starting_cluster() as process:
            yield [process]


@dataclass(frozen=True)
class Floor(Ours):
    """A loop of psycopg that sends the statements of our workers and does nothing else."""

    @contextmanager
    def working(self, server: Server) -> Iterator[list[Process]]:
        arguments = json.dumps({"workers": WORKERS})
        command = [sys.executable, "-m", "benchmarks.inside", "floor.loop", arguments]
        with running(command, environment=self.projects[0].environment) as started:
            yield started


DBOS = Peer(
    "dbos",
    "DBOS Transact 3.4.0",
    "dbos",
    remaining="SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'",
    span="SELECT min(started_at_epoch_ms) / 1e3, max(completed_at) / 1e3, count(*)"
    " FROM dbos.workflow_status WHERE status = 'SUCCESS'",
)
PROCRASTINATE = Peer(
    "procrastinate",
    "procrastinate 3.10.0",
    "procrastinate",
    remaining="SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'",
    span="SELECT extract(epoch FROM min(at) FILTER (WHERE type = 'started')),"
    " extract(epoch FROM max(at)), count(*) FILTER (WHERE type = 'succeeded')"
    " FROM procrastinate_events",
)
DJANGO_Q = Peer(
    "django-q",
    "django-q2 1.11.1, ORM broker",
    "django-q",
    remaining="SELECT count(*) FROM django_q_ormq",
    processes=1,
)
#: For comparison only: prefetching gives up exact limits, priorities and cancelling in the queue.
DJANGO_Q_PREFETCH = Peer(
    "django-q-prefetch",
    "django-q2 1.11.1, bulk 20, queue_limit 50",
    "django-q",
    remaining="SELECT count(*) FROM django_q_ormq",
    processes=1,
    settings={"BENCH_BULK": "20", "BENCH_QUEUE_LIMIT": "50"},
)
TRACKSIDE = Ours()
TRACKSIDE_ASYNC = Ours("trackside-async", "Trackside, async def", "bench-async-noop")
FLOOR = Floor("floor", "the same statements in a loop of psycopg")


def rate(contestant: "Peer | Ours", server: Server, count: int) -> float:
    """Jobs per second from the first start to the last end of `count` preloaded jobs."""
    with contestant.loaded(server, count):
        server.settle(contestant.database)
        with server.connect(contestant.database) as watch, contestant.working(server) as processes:
            observed = _watch(watch, contestant, processes, count)
            found = observed if not contestant.span else _recorded(watch, contestant.span, count)
    progress(f"{contestant.label}: {found:,.0f} jobs/s")
    return found


def _watch(
    watch: psycopg.Connection[Any], contestant: "Peer | Ours", processes: list[Process], count: int
) -> float:
    """Wait for the end; the rate as seen from outside, from the first job seen done."""
    remaining = watch.cursor()
    seen: list[int] = []

    def left() -> int:
        remaining.execute(contestant.remaining)
        seen[:] = [int(remaining.fetchall()[0][0])]
        return seen[0]

    wait_until(lambda: left() < count, processes, within=START_SECONDS, every=0.01)
    already = count - seen[0]
    seconds = wait_until(lambda: left() == 0, processes, within=LIMIT_SECONDS, every=0.05)
    return (count - already) / max(seconds, 1e-9)


def _recorded(watch: psycopg.Connection[Any], span: str, count: int) -> float:
    """The rate by the engine's own records, every job accounted for."""
    row = watch.execute(span).fetchone()
    if row is None or any(number != count for number in row[2:]):
        raise SystemExit(f"{count} jobs were queued, but the records say {row}.")
    return count / (float(row[1]) - float(row[0]))

"""Everyone who remembers steps, waits and calls children, ourselves included."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from benchmarks.support.environments import PEERS, interpreter
from benchmarks.support.postgres import Server
from benchmarks.support.processes import Process, run, running, wait_until
from benchmarks.support.project import UNFINISHED, WORKERS, Project, on_postgres
from benchmarks.support.report import progress

LIMIT_SECONDS = 300
#: Every run has to sleep by this long before the moment that wakes them all.
ASLEEP_SECONDS = 0.5

STEPS, WAITS, CHILDREN = "steps", "waits", "children"


@dataclass(frozen=True, slots=True)
class Work:
    """`runs` runs that do `each` steps or child round trips, or wait once."""

    measure: str
    runs: int
    each: int = 1
    #: Seconds in which all of them have to be asleep.
    lead: float = 0.0

    @property
    def count(self) -> int:
        return self.runs * self.each


OUR_SPAN = """
SELECT extract(epoch FROM min(executed_at)), extract(epoch FROM max(finished_at)),
       count(*) FILTER (WHERE status = 'COMPLETED'),
       (SELECT count(*) FROM runs_journal WHERE kind = '{kind}' AND {recorded})
  FROM runs_run"""
DBOS_SPAN = """
SELECT min(started_at_epoch_ms) / 1e3, max(completed_at) / 1e3,
       count(*) FILTER (WHERE status = 'SUCCESS'),
       (SELECT count(*) FROM dbos.operation_outputs WHERE {recorded})
  FROM dbos.workflow_status"""
ABSURD_SPAN = """
SELECT extract(epoch FROM min(t.first_started_at)), extract(epoch FROM max(r.completed_at)),
       count(DISTINCT t.task_id) FILTER (WHERE t.state = 'completed'),
       (SELECT count(*) FROM absurd.c_bench WHERE {recorded})
  FROM absurd.t_bench t JOIN absurd.r_bench r USING (task_id)"""


@dataclass(eq=False)
class Peer:
    """Another engine: its script, its settings for each measure, and what its own tables say.

    `left` counts what is not finished, `asleep` the runs that wait. `spans` give the first start and
    the last end as Unix seconds, how many runs succeeded, and how much of what was measured is on record.
    """

    name: str
    label: str
    left: str
    asleep: str
    spans: Mapping[str, str]
    settings: Mapping[str, Mapping[str, str]]
    #: The name of its script and its requirements, where it has another name.
    engine: str = ""
    url: str = ""
    measure: str = ""

    @property
    def database(self) -> str:
        return f"durable_{self.name.replace('-', '_')}"

    @contextmanager
    def prepared(self, server: Server, measure: str) -> Iterator[None]:
        """An empty database of its own."""
        self.url, self.measure = server.create(self.database), measure
        self.say("setup")
        yield

    def load(self, **work: Any) -> None:
        """Queue the runs."""
        self.say("load", json.dumps(work))

    @contextmanager
    def working(self) -> Iterator[list[Process]]:
        """Its workers, just started."""
        with running(*[self.command("work")] * WORKERS, environment=self.environment) as started:
            yield started

    def say(self, *words: str) -> None:
        run(self.command(*words), self.environment)

    def command(self, *words: str) -> list[str]:
        engine = self.engine or self.name
        return [interpreter(engine), str(PEERS / f"{engine}_durable_peer.py"), *words]

    @property
    def environment(self) -> dict[str, str]:
        return {"BENCH_DATABASE": self.url, **self.settings[self.measure]}


@dataclass(eq=False)
class Ours:
    """Trackside itself."""

    name: str = "trackside"
    label: str = "Trackside"
    database: str = "durable_trackside"
    left: str = UNFINISHED
    asleep: str = "SELECT count(*) FROM runs_run WHERE status = 'WAITING'"
    spans: Mapping[str, str] = field(
        default_factory=lambda: {
            STEPS: OUR_SPAN.format(kind="step", recorded="status = 'DONE'"),
            WAITS: OUR_SPAN.format(kind="wait", recorded="due_at IS NOT NULL"),
            CHILDREN: OUR_SPAN.format(kind="child", recorded="target IS NOT NULL"),
        }
    )
    projects: list[Project] = field(default_factory=list)

    @contextmanager
    def prepared(self, server: Server, measure: str) -> Iterator[None]:
        with on_postgres(server, self.database) as project:
            self.projects[:] = [project]
            yield

    def load(self, **work: Any) -> None:
        self.projects[0].inside("durable.load", **work)

    @contextmanager
    def working(self) -> Iterator[list[Process]]:
        with self.projects[0].starting_cluster() as process:
            yield [process]


Contestant = Peer | Ours
TRACKSIDE = Ours()
DBOS = Peer(
    "dbos",
    "DBOS Transact 3.4.0",
    left="SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'",
    asleep="SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.sleep'",
    spans={
        STEPS: DBOS_SPAN.format(recorded="function_name LIKE 'step%'"),
        WAITS: DBOS_SPAN.format(recorded="function_name = 'DBOS.sleep'"),
        CHILDREN: DBOS_SPAN.format(recorded="function_name = 'DBOS.getResult'"),
    },
    settings={
        STEPS: {},
        WAITS: {"BENCH_CONCURRENCY": "10000"},
        CHILDREN: {"BENCH_CONCURRENCY": "2"},
    },
)
ABSURD = Peer(
    "absurd",
    "absurd 0.5.1",
    left="SELECT count(*) FROM absurd.t_bench WHERE state <> 'completed'",
    asleep="SELECT count(*) FROM absurd.r_bench WHERE state = 'sleeping'",
    spans={
        STEPS: ABSURD_SPAN.format(recorded="checkpoint_name LIKE 'step%'"),
        WAITS: ABSURD_SPAN.format(recorded="checkpoint_name = 'wait'"),
        CHILDREN: ABSURD_SPAN.format(recorded="checkpoint_name LIKE '$await%'"),
    },
    settings={STEPS: {}, WAITS: {}, CHILDREN: {}},
)
#: For comparison only: eight workers where the others have two.
MANY_ABSURD = replace(
    ABSURD,
    name="absurd-many",
    label="absurd 0.5.1, 4 workers in each process",
    settings={measure: {"BENCH_LOOPS": "4"} for measure in (STEPS, WAITS, CHILDREN)},
    engine="absurd",
)


def rate(contestant: Contestant, server: Server, work: Work) -> float:
    """Steps, waits or child round trips per second, every one of them accounted for."""
    with contestant.prepared(server, work.measure):
        measured = woken if work.lead else worked_off
        found = measured(contestant, server, work)
    progress(f"{contestant.label}: {found:,.0f} {work.measure}/s")
    return found


def worked_off(contestant: Contestant, server: Server, work: Work) -> float:
    """Queued first: from the first start to the last end."""
    contestant.load(measure=work.measure, runs=work.runs, each=work.each, until=0)
    server.settle(contestant.database)
    with server.connect(contestant.database) as watch, contestant.working() as processes:
        finish(watch, contestant, processes)
        first, last = accounted(watch, contestant, work)
    return work.count / (last - first)


def woken(contestant: Contestant, server: Server, work: Work) -> float:
    """All asleep first: from the moment they sleep until to the last end."""
    with server.connect(contestant.database) as watch, contestant.working() as processes:
        until = time.time() + work.lead
        contestant.load(measure=work.measure, runs=work.runs, each=1, until=until)
        time.sleep(max(until - ASLEEP_SECONDS - time.time(), 0))
        asleep = value(watch, contestant.asleep)
        if asleep != work.runs:
            raise SystemExit(
                f"{contestant.label}: only {asleep} of {work.runs} runs sleep. Give them a longer --lead."
            )
        finish(watch, contestant, processes)
        _, last = accounted(watch, contestant, work)
    return work.count / (last - until)


def finish(
    watch: psycopg.Connection[Any], contestant: Contestant, processes: list[Process]
) -> None:
    wait_until(
        lambda: value(watch, contestant.left) == 0, processes, within=LIMIT_SECONDS, every=0.1
    )


def accounted(
    watch: psycopg.Connection[Any], contestant: Contestant, work: Work
) -> tuple[float, float]:
    """The first start and the last end by the engine's own records."""
    first, last, *found = watch.execute(contestant.spans[work.measure]).fetchall()[0]
    runs = work.runs + (work.count if work.measure == CHILDREN else 0)
    if found != [runs, work.count]:
        raise SystemExit(
            f"{contestant.label}: {runs} runs and {work.count} {work.measure} were asked for, but the "
            f"records say {found}."
        )
    return float(first), float(last)


def value(watch: psycopg.Connection[Any], query: str) -> int:
    return int(watch.execute(query).fetchall()[0][0])

"""`python -m benchmarks.waiting`: what waiting runs cost the others, and long journals their own run."""

import sys
from typing import Any

from benchmarks.support.postgres import Server, postgres
from benchmarks.support.processes import wait_until
from benchmarks.support.project import Project, on_postgres
from benchmarks.support.report import (
    Figure,
    Report,
    interleaved,
    median,
    parser,
    progress,
    publish,
    spread,
)

#: Of the rate without them.
RATIO = 0.9
#: How many times the time of an entry may grow while the journal grows a hundredfold.
GROWTH = 1.5
#: A nap that is over when it is reached, on a machine that is busy, leaves no entry.
RECORDED_AT_LEAST = 0.99
#: What a run has many of, and the kind of its journal's entries.
LONG = (
    ("steps", "step"),
    ("naps", "wait"),
    ("children", "child"),
    ("batches", "child"),
    ("tokens", "for"),
    ("async-naps", "wait"),
    ("async-children", "child"),
    ("async-tokens", "for"),
)
#: Children of each entry.
BORN = {"children": 1, "batches": 2, "async-children": 1}
SIZES = [100, 1_000, 10_000]
LIMIT_SECONDS = 600

#: Asked five times a second, so by the index and not among those that wait.
LEFT = "SELECT count(*) FROM runs_run WHERE status IN ('QUEUED', 'DEQUEUED', 'EXECUTING', 'PENDING_VERSION')"
DONE = "SELECT count(*) FROM runs_run WHERE status = 'COMPLETED'"
#: Seconds between the first start and the last end, by the database's records.
SPAN = """
SELECT extract(epoch FROM max(finished_at) - min(executed_at))
  FROM runs_run WHERE status = 'COMPLETED'"""
RECORDED = "SELECT count(*) FROM runs_journal WHERE kind = '{kind}'"


def claims(server: Server, waiting: int, count: int) -> float:
    """No-op runs per second beside `waiting` runs that wait for a token or a day far away."""
    with on_postgres(server, "waiting") as project:
        if waiting:
            project.inside("durable.waiting", count=waiting)
        project.inside("seeding.noops", count=count)
        found = count / spent(server, project, count)
    progress(f"{waiting:,} waiting: {found:,.0f} runs/s")
    return found


def entry(server: Server, measure: str, kind: str, entries: int) -> float:
    """Milliseconds that each of `entries` steps or waits of one run takes."""
    with on_postgres(server, "waiting") as project:
        project.inside("durable.load", measure=measure, runs=1, each=entries)
        runs = 1 + entries * BORN.get(measure, 0)
        if measure.endswith("tokens"):
            project.inside("durable.load", measure="answers", runs=1, each=entries)
            runs += 1
        found = spent(server, project, runs) / entries * 1000
        recorded = project.value(RECORDED.format(kind=kind))
        if recorded < entries * RECORDED_AT_LEAST:
            raise SystemExit(f"{entries} {measure} were asked for, {recorded} are on record.")
    progress(f"{entries:,} {measure}: {found:.2f} ms each")
    return found


def spent(server: Server, project: Project, runs: int) -> float:
    """Seconds until this many runs are done."""
    server.settle("waiting")
    with project.starting_cluster() as cluster:
        wait_until(lambda: project.value(LEFT) == 0, [cluster], within=LIMIT_SECONDS, every=0.2)
        done, seconds = project.value(DONE), float(project.value(SPAN))
    if done != runs:
        raise SystemExit(f"{runs} runs were asked for, {done} completed.")
    return seconds


def beside(server: Server, waiting: int, count: int, repetitions: int) -> Report:
    """The same no-op runs with and without the waiting ones."""
    found = interleaved(repetitions, [0, waiting], lambda number: claims(server, number, count))
    rates = {number: median(found[number]) for number in found}
    figures = [
        Figure(f"{number:,} waiting", rates[number], "runs/s", note=spread(found[number]))
        for number in found
    ]
    figures.append(Figure("  of the rate without", rates[waiting] / rates[0], at_least=RATIO))
    return Report(f"Claims beside waiting runs, PostgreSQL, {count:,} queued no-op runs", figures)


def growth(server: Server, measure: str, kind: str, sizes: list[int]) -> Report:
    """One run with more and more entries."""
    times = {size: entry(server, measure, kind, size) for size in sizes}
    figures = [Figure(f"{size:,} {measure}", times[size], "ms each") for size in sizes]
    ratio = times[sizes[-1]] / times[sizes[0]]
    figures.append(Figure("  the longest over the shortest", ratio, "x", at_most=GROWTH))
    return Report(f"{measure.capitalize()} in one run, PostgreSQL", figures)


def main() -> int:
    options: Any = parser(__doc__)
    options.add_argument("--waiting", type=int, default=100_000)
    options.add_argument("--count", type=int, default=5_000)
    options.add_argument("--repeat", type=int, default=3)
    for measure, _ in LONG:
        options.add_argument(f"--{measure}", type=int, nargs="*", default=SIZES)
    chosen = options.parse_args()
    reports = []
    with postgres() as server:
        if chosen.repeat:
            reports.append(beside(server, chosen.waiting, chosen.count, chosen.repeat))
        for measure, kind in LONG:
            if sizes := getattr(chosen, measure.replace("-", "_")):
                reports.append(growth(server, measure, kind, sizes))
    return publish(reports, chosen.json)


if __name__ == "__main__":
    sys.exit(main())

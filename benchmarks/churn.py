"""`python -m benchmarks.churn`: whether runs cost the same after an hour of nothing but runs."""

import sys
import time

from benchmarks.support.postgres import postgres
from benchmarks.support.processes import Process, wait_until
from benchmarks.support.project import Project, on_postgres
from benchmarks.support.report import Figure, Report, median, parser, progress, publish, spread

#: Bursts that count as the beginning, and as the end; they differ by a factor of two among themselves.
EDGE = 40
RATIO = 0.9
LIMIT_SECONDS = 600

NEWEST = "SELECT coalesce(max(id), '') FROM runs_run"
LEFT = "SELECT count(*) FROM runs_ready"
OPEN = "SELECT count(*) FROM runs_lease"
SPAN = """
SELECT extract(epoch FROM max(finished_at) - min(executed_at))
  FROM runs_run WHERE id > '{newest}' AND finished_at IS NOT NULL"""
SIZES = """
SELECT sum(pg_total_relation_size(c.oid)) / 1048576.0 FROM pg_class c
 WHERE c.relname IN ('runs_ready', 'runs_lease', 'runs_bucket', 'runs_queue')"""


def burst(project: Project, cluster: Process, count: int) -> float:
    """Runs per second of so many, triggered while the cluster executes them."""
    newest = project.value(NEWEST)
    project.inside("seeding.noops", count=count)
    wait_until(
        lambda: not project.value(LEFT) and not project.value(OPEN),
        [cluster],
        within=LIMIT_SECONDS,
    )
    return count / float(project.value(SPAN.format(newest=newest)))


def measure(minutes: float, count: int, every: float) -> Report:
    """One burst after the other; the last ones over the first ones."""
    rates: list[float] = []
    with (
        postgres() as server,
        on_postgres(server, "churn") as project,
        project.cluster() as cluster,
    ):
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end or len(rates) < 2 * EDGE:
            due = time.monotonic() + every
            rates.append(burst(project, cluster, count))
            progress(f"{len(rates) * count:,} runs so far: {rates[-1]:,.0f} runs/s")
            if len(rates) == EDGE:
                young = float(project.value(SIZES))
            time.sleep(max(0, due - time.monotonic()))
        old = float(project.value(SIZES))
    first, last = rates[:EDGE], rates[-EDGE:]
    return Report(
        f"Churn, PostgreSQL, 2 worker processes, {minutes:g} minutes, {len(rates) * count:,} runs",
        [
            Figure("first bursts", median(first), "runs/s", note=spread(first)),
            Figure("last bursts", median(last), "runs/s", note=spread(last)),
            Figure("  of the first's rate", median(last) / median(first), at_least=RATIO),
            Figure("the tables of what is queued and held, at first", young, "MiB"),
            Figure("  and at last", old, "MiB"),
        ],
        [
            "Each burst is triggered while it is executed, so triggering takes its part of the machine."
        ],
    )


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--count", type=int, default=10_000, help="runs of a burst")
    options.add_argument(
        "--every",
        type=float,
        default=0,
        help="seconds from the beginning of a burst to that of the next (default: none)",
    )
    chosen = options.parse_args()
    return publish([measure(chosen.minutes, chosen.count, chosen.every)], chosen.json)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.latency`: from the trigger call to the body's first line, idle cluster."""

import sys

from benchmarks.support.postgres import postgres
from benchmarks.support.project import Project, on_postgres, on_sqlite
from benchmarks.support.report import Figure, Report, parser, percentile, progress, publish

P50_MS, P99_MS = 5, 40


def measure(project: Project, database: str, count: int, pause: float) -> Report:
    """`count` launches, each after a pause, into a cluster with nothing else to do."""
    progress(f"latency on {database}")
    with project.cluster():
        samples = project.inside("latency.samples", count=count, pause=pause)
    return Report(
        f"Idle latency, {database}, trigger call begins to body starts ({count} samples)",
        [
            Figure("p50", percentile(samples, 50), "ms", at_most=P50_MS),
            Figure("p90", percentile(samples, 90), "ms"),
            Figure("p99", percentile(samples, 99), "ms", at_most=P99_MS),
            Figure("worst", max(samples), "ms"),
        ],
    )


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--count", type=int, default=300)
    options.add_argument("--pause", type=float, default=0.1, help="seconds between launches")
    chosen = options.parse_args()
    with postgres() as server, on_postgres(server) as project:
        reports = [measure(project, "PostgreSQL", chosen.count, chosen.pause)]
    with on_sqlite() as project:
        reports.append(measure(project, "SQLite", chosen.count, chosen.pause))
    return publish(reports, chosen.json)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.idle`: what the whole thing costs while nothing happens."""

import sys
import time

from benchmarks.support.postgres import Server, postgres
from benchmarks.support.processes import cpu_seconds
from benchmarks.support.project import Project, on_postgres, on_sqlite
from benchmarks.support.report import Figure, Report, parser, progress, publish

PERCENT = 2
SETTLE_SECONDS = 10


def measure(project: Project, server: Server | None, seconds: float, settle: float) -> Report:
    """CPU of cluster, web and database over a quiet time, in percent of one core."""
    with project.cluster() as cluster, project.web() as (web, _):
        pids = {"cluster": cluster.pid, "web": web.pid}
        if server:
            pids["database"] = server.pid
        progress(f"idle for {settle + seconds:g} s")
        time.sleep(settle)
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        begun = time.monotonic()
        time.sleep(seconds)
        elapsed = time.monotonic() - begun
        shares = {
            name: 100 * (cpu_seconds(pid) - before[name]) / elapsed for name, pid in pids.items()
        }
    figures = [Figure("together", sum(shares.values()), "% of a core", at_most=PERCENT)]
    figures += [Figure(f"  {name}", share, "% of a core") for name, share in shares.items()]
    return Report(f"Idle, {'PostgreSQL' if server else 'SQLite'}, {elapsed:.0f} s", figures)


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--settle", type=float, default=SETTLE_SECONDS)
    chosen = options.parse_args()
    with postgres() as server, on_postgres(server) as project:
        reports = [measure(project, server, chosen.seconds, chosen.settle)]
    with on_sqlite() as project:
        reports.append(measure(project, None, chosen.seconds, chosen.settle))
    return publish(reports, chosen.json)


if __name__ == "__main__":
    sys.exit(main())

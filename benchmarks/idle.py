"""`python -m benchmarks.idle`: what the whole thing costs while nothing happens."""

import sys
import time

from benchmarks.support.postgres import Server, postgres
from benchmarks.support.processes import cpu_seconds, family
from benchmarks.support.project import Project, on_postgres, on_sqlite
from benchmarks.support.report import Figure, Report, parser, progress, publish

PERCENT = 2
SETTLE_SECONDS = 10


def measure(project: Project, server: Server | None, seconds: float, settle: float) -> Report:
    """CPU of everything `manage.py up` starts and the database, in percent of one core."""
    with project.everything() as everything:
        progress(f"idle for {settle + seconds:g} s")
        time.sleep(settle)
        pids = {"up": everything.pid, **_parts(everything.pid)}
        pids |= {"database": server.pid} if server else {}
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        begun = time.monotonic()
        time.sleep(seconds)
        elapsed = time.monotonic() - begun
        shares = {
            name: 100 * (cpu_seconds(pid) - before[name]) / elapsed for name, pid in pids.items()
        }
    together = shares["up"] + shares.get("database", 0.0)
    shares["up"] -= shares["web"] + shares["cluster"]
    figures = [Figure("together", together, "% of a core", at_most=PERCENT)]
    figures += [Figure(f"  {name}", share, "% of a core") for name, share in shares.items()]
    return Report(f"Idle, {'PostgreSQL' if server else 'SQLite'}, {elapsed:.0f} s", figures)


def _parts(pid: int) -> dict[str, int]:
    """What `up` started, by what it is."""
    children = {child.pid: " ".join(child.cmdline()) for child in family(pid)[1:]}
    web = [child for child, command in children.items() if "dashboard.launch.web" in command]
    clusters = [child for child, command in children.items() if "qcluster" in command]
    if not web or not clusters:
        raise SystemExit(f"Web or cluster is missing: {children}")
    return {"web": min(web), "cluster": min(clusters)}


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

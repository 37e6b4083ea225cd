"""`python -m benchmarks.idle`: what the whole thing costs while nothing happens, in time and memory."""

import sys
import time
from pathlib import Path

import psutil

from benchmarks.support.postgres import Server, postgres
from benchmarks.support.processes import cpu_seconds, family
from benchmarks.support.project import Project, on_postgres, on_sqlite
from benchmarks.support.report import Figure, Report, parser, progress, publish

PERCENT, WORKER_MIB = 2, 25
SETTLE_SECONDS = 10
#: What a worker process calls itself.
WORKER = "ts-worker"


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
        workers = [private(child.pid) for child in family(everything.pid) if named(child, WORKER)]
    together = shares["up"] + shares.get("database", 0.0)
    shares["up"] -= shares["web"] + shares["cluster"]
    figures = [Figure("together", together, "% of a core", at_most=PERCENT)]
    figures += [Figure(f"  {name}", share, "% of a core") for name, share in shares.items()]
    if not workers:
        raise SystemExit("There is no worker whose memory could be read.")
    figures.append(Figure("a worker's own memory", max(workers), "MiB", at_most=WORKER_MIB))
    return Report(f"Idle, {'PostgreSQL' if server else 'SQLite'}, {elapsed:.0f} s", figures)


def named(process: psutil.Process, name: str) -> bool:
    try:
        return process.name() == name
    except psutil.NoSuchProcess:
        return False


def private(pid: int) -> float:
    """MiB that only this process has: the rest it shares with the cluster that forked it."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = [int(line.split()[1]) for line in lines if line.startswith("Private_")]
    return sum(sizes) / 1024


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

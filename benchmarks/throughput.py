"""`python -m benchmarks.throughput`: queued no-op runs to completion, against three peers and a floor."""

import sys

from benchmarks.support.contestants import (
    DBOS,
    DJANGO_Q,
    DJANGO_Q_PREFETCH,
    FLOOR,
    PROCRASTINATE,
    TRACKSIDE,
    TRACKSIDE_ASYNC,
    Ours,
    Peer,
    rate,
)
from benchmarks.support.postgres import Server, postgres
from benchmarks.support.processes import wait_until
from benchmarks.support.project import UNFINISHED, on_sqlite
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

RUNS, ASYNC_RUNS, SQLITE_RUNS = 2_500, 4_000, 1_500
#: Of the rate of the same statements with nothing around them.
OF_FLOOR = 1 / 2.5
LIMIT_SECONDS = 300
SQLITE_SPAN = """
SELECT (julianday(max(finished_at)) - julianday(min(executed_at))) * 86400 FROM runs_run"""
#: How many times a peer's rate ours has to be.
RATIOS: dict[Peer, float | None] = {
    DBOS: 4,
    PROCRASTINATE: 3,
    DJANGO_Q: 10,
    DJANGO_Q_PREFETCH: None,
}


def measure(server: Server, count: int, repetitions: int, peers: list[Peer]) -> Report:
    """Everyone once per round; medians, and ours over theirs."""
    contestants: list[Peer | Ours] = [TRACKSIDE, TRACKSIDE_ASYNC, FLOOR, *peers]
    found = interleaved(repetitions, contestants, lambda one: rate(one, server, count))
    ours, floor = median(found[TRACKSIDE]), median(found[FLOOR])
    least = {TRACKSIDE: RUNS, TRACKSIDE_ASYNC: ASYNC_RUNS, FLOOR: None}
    figures = [
        Figure(one.label, median(found[one]), "runs/s", at_least=wanted, note=spread(found[one]))
        for one, wanted in least.items()
    ]
    figures.append(Figure("  Trackside / the same statements", ours / floor, at_least=OF_FLOOR))
    for peer in peers:
        theirs = median(found[peer])
        figures += [
            Figure(peer.label, theirs, "jobs/s", note=spread(found[peer])),
            Figure(f"  Trackside / {peer.name}", ours / theirs, "x", at_least=RATIOS[peer]),
        ]
    return Report(
        f"Throughput, PostgreSQL, 2 worker processes, {count:,} queued no-op runs",
        figures,
        ["Trackside keeps the run, its attempt and its events; django-q2 keeps nothing."],
    )


def measure_sqlite(count: int, repetitions: int) -> Report:
    """The embedded database, by its own records too."""
    rates = [_on_sqlite(count) for _ in range(repetitions)]
    figures = [
        Figure("Trackside", median(rates), "runs/s", at_least=SQLITE_RUNS, note=spread(rates))
    ]
    return Report(f"Throughput, SQLite, 2 worker processes, {count:,} queued no-op runs", figures)


def _on_sqlite(count: int) -> float:
    with on_sqlite() as project:
        project.inside("seeding.noops", count=count)
        with project.starting_cluster() as cluster:
            # a look takes a lock, so seldom
            wait_until(
                lambda: not project.value(UNFINISHED), [cluster], within=LIMIT_SECONDS, every=0.5
            )
        found = count / float(project.value(SQLITE_SPAN))
    progress(f"Trackside on SQLite: {found:,.0f} runs/s")
    return found


def main() -> int:
    by_name = {peer.name: peer for peer in RATIOS}
    options = parser(__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--peers", nargs="*", choices=by_name, default=list(by_name))
    chosen = options.parse_args()
    with postgres() as server:
        peers = [by_name[name] for name in chosen.peers]
        reports = [measure(server, chosen.count, chosen.repeat, peers)]
    reports.append(measure_sqlite(chosen.count, chosen.repeat))
    return publish(reports, chosen.json)


if __name__ == "__main__":
    sys.exit(main())

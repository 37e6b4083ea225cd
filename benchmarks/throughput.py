"""`python -m benchmarks.throughput`: queued no-op runs to completion, against three peers."""

import sys

from benchmarks.support.contestants import (
    DBOS,
    DJANGO_Q,
    DJANGO_Q_PREFETCH,
    PROCRASTINATE,
    TRACKSIDE,
    Ours,
    Peer,
    rate,
)
from benchmarks.support.postgres import Server, postgres
from benchmarks.support.report import (
    Figure,
    Report,
    interleaved,
    median,
    parser,
    publish,
    spread,
)

RUNS = 1_500
#: How many times a peer's rate ours has to be.
RATIOS: dict[Peer, float | None] = {
    DBOS: 1.5,
    PROCRASTINATE: 3,
    DJANGO_Q: 5,
    DJANGO_Q_PREFETCH: None,
}


def measure(server: Server, count: int, repetitions: int, peers: list[Peer]) -> Report:
    """Everyone once per round; medians, and ours over theirs."""
    contestants: list[Peer | Ours] = [TRACKSIDE, *peers]
    found = interleaved(repetitions, contestants, lambda one: rate(one, server, count))
    ours = median(found[TRACKSIDE])
    figures = [Figure("Trackside", ours, "runs/s", at_least=RUNS, note=spread(found[TRACKSIDE]))]
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


def main() -> int:
    by_name = {peer.name: peer for peer in RATIOS}
    options = parser(__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--peers", nargs="*", choices=by_name, default=list(by_name))
    chosen = options.parse_args()
    with postgres() as server:
        peers = [by_name[name] for name in chosen.peers]
        report = measure(server, chosen.count, chosen.repeat, peers)
    return publish([report], chosen.json)


if __name__ == "__main__":
    sys.exit(main())

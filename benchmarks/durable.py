"""`python -m benchmarks.durable`: steps, waits and child round trips per second, against two peers."""

import sys

from benchmarks.support.durable import (
    ABSURD,
    CHILDREN,
    DBOS,
    MANY_ABSURD,
    STEPS,
    TRACKSIDE,
    WAITS,
    Contestant,
    Peer,
    Work,
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

PEERS = {peer.name: peer for peer in (DBOS, ABSURD, MANY_ABSURD)}
#: Whose better one is compared with.
EQUALS = (DBOS, ABSURD)
TITLES = {
    STEPS: "Steps, {runs} runs of {each} steps that do nothing",
    WAITS: "Waits, {runs} runs that all sleep until the same moment",
    CHILDREN: "Child round trips, {runs} parents that wait for {each} children one after the other",
}
#: How many times the better peer's rate ours has to be.
RATIOS: dict[str, float | None] = {STEPS: 2, WAITS: None, CHILDREN: 2}


def measure(server: Server, work: Work, repetitions: int, peers: list[Peer]) -> Report:
    """Everyone once per round; medians, and ours over the better of its equals."""
    contestants: list[Contestant] = [TRACKSIDE, *peers]
    found = interleaved(repetitions, contestants, lambda one: rate(one, server, work))
    medians = {one: median(rates) for one, rates in found.items()}
    figures = [
        Figure(one.label, medians[one], f"{work.measure}/s", note=spread(found[one]))
        for one in contestants
    ]
    equals = [peer for peer in peers if peer in EQUALS]
    if equals:
        best = max(equals, key=lambda peer: medians[peer])
        ratio = medians[TRACKSIDE] / medians[best]
        at_least = RATIOS[work.measure]
        figures.append(Figure(f"  Trackside / {best.name}", ratio, "x", at_least=at_least))
    title = TITLES[work.measure].format(runs=f"{work.runs:,}", each=work.each)
    return Report(f"{title}; PostgreSQL, 2 worker processes each", figures)


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--scale", type=float, default=1.0, help="times the usual number of runs")
    options.add_argument("--lead", type=float, default=20, help="seconds to put all to sleep in")
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--measures", nargs="*", choices=TITLES, default=list(TITLES))
    options.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    chosen = options.parse_args()
    works = {
        STEPS: Work(STEPS, scaled(100, chosen.scale), 100),
        WAITS: Work(WAITS, scaled(1_000, chosen.scale), lead=chosen.lead),
        CHILDREN: Work(CHILDREN, scaled(60, chosen.scale), 20),
    }
    peers = [PEERS[name] for name in chosen.peers]
    with postgres() as server:
        reports = [measure(server, works[name], chosen.repeat, peers) for name in chosen.measures]
    return publish(reports, chosen.json)


def scaled(usual: int, scale: float) -> int:
    return max(1, round(usual * scale))


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.scale`: what a run costs beside a large backlog and a long history."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.support.drawing import Line, chart
from benchmarks.support.postgres import Server, postgres
from benchmarks.support.processes import wait_until
from benchmarks.support.project import Project, on_postgres
from benchmarks.support.report import Figure, Report, number, parser, progress, publish

SIZES = (50_000, 200_000, 1_000_000)
#: So many that a cluster is warm for most of them: the first thousands cost up to twice as much.
FIRST, SINGLES = 40_000, 1_000
#: Of the rate at the smallest size.
RATIO = 0.9
LIMIT_SECONDS = 600

NOW = "SELECT clock_timestamp() + interval '6 seconds'"  # made-up history ends up to 5 s from now
#: Of the index of ends, from its newest entry: counting all runs would take a core.
DONE = "SELECT count(*) FROM (SELECT 1 FROM runs_run WHERE finished_at > '{since}' LIMIT {first}) AS done"
SPAN = """
SELECT extract(epoch FROM max(finished_at) - min(executed_at)) FROM (
  SELECT executed_at, finished_at FROM runs_run WHERE finished_at > '{since}'
   ORDER BY finished_at LIMIT {first}) AS done"""
PASSED = "SELECT clock_timestamp() > '{since}'"


class Point(NamedTuple):
    """So many runs that wait and that have ended."""

    queued: int
    finished: int


class Costs(NamedTuple):
    """Microseconds of a run: to be executed by one of 2 workers, and to be triggered alone."""

    executed: float
    triggered: float


def measure(server: Server, point: Point, first: int) -> Costs:
    """What the next runs cost there."""
    with on_postgres(server, "scale") as project:
        if point.finished:
            project.inside("history.million", count=point.finished)
        project.inside("seeding.noops", count=max(point.queued, first))
        server.settle("scale")
        triggered = 1e6 / project.inside("triggering.single", count=SINGLES)
        executed = 1e6 * _seconds(project, first) / first
    progress(f"{told(point)}: {executed:,.0f} µs a run, {triggered:,.0f} µs a trigger")
    return Costs(executed, triggered)


def _seconds(project: Project, first: int) -> float:
    """From the first start to the last end of the first runs that a new cluster ends."""
    since = project.value(NOW)
    wait_until(lambda: project.value(PASSED.format(since=since)), [], within=60)
    with project.starting_cluster() as cluster:
        asked = DONE.format(since=since, first=first)
        wait_until(lambda: project.value(asked) >= first, [cluster], within=LIMIT_SECONDS)
        return float(project.value(SPAN.format(since=since, first=first)))


def told(point: Point) -> str:
    return f"{number(point.queued)} queued, {number(point.finished)} ended"


def report(found: dict[Point, Costs]) -> Report:
    base = found[min(found)]
    figures = []
    for point, costs in sorted(found.items()):
        figures += [
            Figure(told(point), 1e6 / costs.executed, "runs/s"),
            Figure("  of the smallest's", base.executed / costs.executed, at_least=RATIO),
            Figure("  triggers alone", 1e6 / costs.triggered, "runs/s"),
        ]
    return Report("Backlog and history, PostgreSQL, 2 worker processes, no-op runs", figures)


def drawn(found: dict[Point, Costs], sizes: Sequence[int]) -> str:
    """Cost against size, as SVG."""
    small = min(sizes)
    backlogs = [Point(size, 0) for size in sizes]
    histories = [Point(small, size) for size in sizes if size > small]
    first = Point(small, 0)
    return chart(
        "Cost of a run against backlog and history",
        "runs that are queued, or have ended",
        "microseconds",
        [
            Line("executed, by backlog", [(p.queued, found[p].executed) for p in backlogs]),
            Line("executed, by history", _history(found, first, histories, "executed")),
            Line("triggered, by backlog", [(p.queued, found[p].triggered) for p in backlogs]),
            Line("triggered, by history", _history(found, first, histories, "triggered")),
        ],
    )


def _history(
    found: dict[Point, Costs], first: Point, points: list[Point], name: str
) -> list[tuple[float, float]]:
    begun = (float(first.queued), float(getattr(found[first], name)))
    return [begun, *((p.finished, getattr(found[p], name)) for p in points)]


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options.add_argument("--first", type=int, default=FIRST)
    options.add_argument(
        "--chart", metavar="FILE", type=Path, help="also draw the costs here (SVG)"
    )
    chosen = options.parse_args()
    sizes = sorted(chosen.sizes)
    small, large = sizes[0], sizes[-1]
    points = {Point(size, 0) for size in sizes} | {Point(small, size) for size in sizes[1:]}
    with postgres() as server:
        both = sorted(points | {Point(large, large)})
        found = {point: measure(server, point, chosen.first) for point in both}
    if chosen.chart:
        chosen.chart.write_text(drawn(found, sizes))
    return publish([report(found)], chosen.json)


if __name__ == "__main__":
    sys.exit(main())

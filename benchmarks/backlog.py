"""`python -m benchmarks.backlog`: what a large, half-blocked backlog costs the runs that may go."""

import sys

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

KEYS = 1_000
FIRST = 2_000
RATIO = 0.8
LIMIT_SECONDS = 600

SMALL = "2,000 queued, nothing blocked"
HELD = "half behind keys whose slot is taken"
MOVING = "half behind keys that move one at a time"

#: Asked all the time while it runs, so not of the runs themselves: counting those takes a core.
FINISHED = "SELECT count(*) FROM runs_attempt"
#: Seconds between the first start and the end that is number {first}, by the database's records.
SPAN = """
SELECT extract(epoch FROM max(finished_at) - min(executed_at)) FROM (
  SELECT executed_at, finished_at FROM runs_run WHERE finished_at IS NOT NULL
   ORDER BY finished_at LIMIT {first}) AS done
"""


def rate(server: Server, backlog: str, queued: int, first: int, keys: int) -> float:
    """Runs per second over the first completions."""
    with on_postgres(server, "backlog") as project:
        _fill(project, backlog, queued, first, keys)
        server.settle("backlog")
        with project.starting_cluster() as cluster:
            wait_until(lambda: project.value(FINISHED) >= first, [cluster], within=LIMIT_SECONDS)
            found = first / float(project.value(SPAN.format(first=first)))
    progress(f"{backlog}: {found:,.0f} runs/s")
    return found


def _fill(project: Project, backlog: str, queued: int, first: int, keys: int) -> None:
    if backlog == SMALL:
        project.inside("seeding.noops", count=first)
        return
    if backlog == HELD:
        held = project.inside("seeding.hold_every_key", keys=keys)
        if held != keys:
            raise SystemExit(f"Only {held} of {keys} keys are held.")
    project.inside("seeding.backlog", pairs=queued // 2, keys=keys)


def measure(server: Server, queued: int, first: int, keys: int, repetitions: int) -> Report:
    """The three backlogs in turn; the large ones over the small one."""
    found = interleaved(
        repetitions,
        [SMALL, HELD, MOVING],
        lambda backlog: rate(server, backlog, queued, first, keys),
    )
    small = median(found[SMALL])
    figures = [Figure(SMALL, small, "runs/s", note=spread(found[SMALL]))]
    for backlog in (HELD, MOVING):
        figures += [
            Figure(backlog, median(found[backlog]), "runs/s", note=spread(found[backlog])),
            Figure("  of the small one's rate", median(found[backlog]) / small, at_least=RATIO),
        ]
    return Report(
        f"Backlog, PostgreSQL, {queued:,} queued, {keys:,} concurrency keys, limit 1:"
        f" first {first:,} completions",
        figures,
    )


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--queued", type=int, default=200_000)
    options.add_argument("--first", type=int, default=FIRST)
    options.add_argument("--keys", type=int, default=KEYS)
    options.add_argument("--repeat", type=int, default=3)
    chosen = options.parse_args()
    with postgres() as server:
        report = measure(server, chosen.queued, chosen.first, chosen.keys, chosen.repeat)
    return publish([report], chosen.json)


if __name__ == "__main__":
    sys.exit(main())

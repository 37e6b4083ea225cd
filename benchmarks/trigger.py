"""`python -m benchmarks.trigger`: how fast runs are made, against bare SQL writing the same rows."""

import sys

from benchmarks.support.postgres import Server, postgres
from benchmarks.support.project import on_postgres
from benchmarks.support.report import Figure, Report, median, parser, progress, publish, spread

SINGLE, BULK = 1_000, 30_000
NAMES = ("single", "threads", "bulk", "floor single", "floor bulk")


def measure(server: Server, singles: int, bulks: int, repetitions: int) -> Report:
    """Single and bulk trigger from one process, each beside its floor."""
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for round_number in range(repetitions):
        progress(f"trigger, repetition {round_number + 1} of {repetitions}")
        with on_postgres(server, "trigger") as project:
            empty = server.create("floor", template="trigger")
            found["single"].append(project.inside("triggering.single", count=singles))
            found["threads"].append(project.inside("triggering.threads", count=singles))
            found["bulk"].append(project.inside("triggering.bulk", count=bulks))
            floor = project.inside("triggering.floor", count=bulks, floor_url=empty)
            found["floor single"].append(floor["single"])
            found["floor bulk"].append(floor["bulk"])
    single, bulk = median(found["single"]), median(found["bulk"])
    return Report(
        "Trigger, PostgreSQL, one process",
        [
            Figure("one by one", single, "runs/s", at_least=SINGLE, note=spread(found["single"])),
            Figure("from four threads", median(found["threads"]), "runs/s"),
            Figure("in bulk", bulk, "runs/s", at_least=BULK, note=spread(found["bulk"])),
            Figure("bare INSERTs, one statement each", median(found["floor single"]), "runs/s"),
            Figure("bare COPY, 1,000 runs a piece", median(found["floor bulk"]), "runs/s"),
            Figure("one by one / bare", single / median(found["floor single"])),
            Figure("in bulk / bare", bulk / median(found["floor bulk"])),
        ],
        ["Each run is a run, an event and a ready row; a commit is a disk flush."],
    )


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--singles", type=int, default=5_000)
    options.add_argument("--bulks", type=int, default=20_000)
    options.add_argument("--repeat", type=int, default=5)
    chosen = options.parse_args()
    with postgres() as server:
        report = measure(server, chosen.singles, chosen.bulks, chosen.repeat)
    return publish([report], chosen.json)


if __name__ == "__main__":
    sys.exit(main())

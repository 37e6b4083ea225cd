"""`python -m benchmarks.http_trigger`: triggers over HTTP, beside the same stack doing nothing."""

import json
import sys

from benchmarks.support.postgres import postgres
from benchmarks.support.posting import hammer, requests
from benchmarks.support.processes import Process, wait_until
from benchmarks.support.project import Project, on_postgres, on_sqlite
from benchmarks.support.report import (
    Figure,
    Report,
    median,
    parser,
    percentile,
    progress,
    publish,
    spread,
)

WORKERS, CONNECTIONS = 2, 8
PER_SECOND, P99_MS = 300, 100
SETTINGS = {"DJANGO_SETTINGS_MODULE": "benchmarks.inside.settings"}
BODY = json.dumps(
    {"payload": {"order": 1234, "customer": "c-5678"}, "options": {"tags": ["express"]}}
).encode()


def measure(project: Project, database: str, count: int, repetitions: int) -> Report:
    """`count` triggers and as many empty answers, in turns."""
    key = project.manage("apikey", "create", "bench").split()[-1]
    headers = {"authorization": f"Bearer {key}"}
    rates: list[float] = []
    samples: list[float] = []
    empty: list[float] = []
    with project.web(WORKERS) as (process, address):
        trigger = requests(address, "/api/v1/tasks/bench-noop/trigger", BODY, headers)
        nothing = requests(address, "/empty", BODY, headers)
        wait_until(lambda: _answers(address, trigger, process), [process], within=30)
        hammer(address, trigger, CONNECTIONS, 400)
        for number in range(repetitions):
            progress(f"triggers over HTTP on {database}, repetition {number + 1} of {repetitions}")
            rate, took = hammer(address, trigger, CONNECTIONS, count)
            rates.append(rate)
            samples += took
            empty.append(hammer(address, nothing, CONNECTIONS, count)[0])
    return Report(
        f"Trigger over HTTP, {database}, {WORKERS} web processes, {CONNECTIONS} connections",
        [
            Figure("triggers", median(rates), "/s", at_least=PER_SECOND, note=spread(rates)),
            Figure("p50", percentile(samples, 50), "ms"),
            Figure("p99", percentile(samples, 99), "ms", at_most=P99_MS),
            Figure("worst", max(samples), "ms"),
            Figure("a view that does nothing", median(empty), "/s", note=spread(empty)),
            Figure("triggers / nothing", median(rates) / median(empty)),
        ],
        ["The client shares the cores with the web processes and the database."],
    )


def _answers(address: str, request: bytes, process: Process) -> bool:
    process.check()
    try:
        hammer(address, request, 1, 1)
    except OSError:
        return False
    return True


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--count", type=int, default=3_000)
    options.add_argument("--repeat", type=int, default=3)
    chosen = options.parse_args()
    with postgres() as server, on_postgres(server, **SETTINGS) as project:
        reports = [measure(project, "PostgreSQL", chosen.count, chosen.repeat)]
    with on_sqlite(**SETTINGS) as project:
        reports.append(measure(project, "SQLite", chosen.count, chosen.repeat))
    return publish(reports, chosen.json)


if __name__ == "__main__":
    sys.exit(main())

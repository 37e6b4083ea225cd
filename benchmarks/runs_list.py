"""`python -m benchmarks.runs_list`: the runs list over a million runs, as a browser asks for it."""

import sys
import time
from itertools import product
from typing import NamedTuple

import httpx

from benchmarks.support.postgres import Server, postgres
from benchmarks.support.project import on_postgres
from benchmarks.support.report import Figure, Report, median, parser, percentile, progress, publish

FIRST_PAGE_MS = 60
LONGEST_SECONDS = 2
#: The list stops its own query after two seconds; drawing the page that says so takes a moment.
STOPPED_SECONDS = 2.3
#: What the page says when it stopped.
STOPPED = "Stopped after"

FILTERS: dict[str, list[list[str]]] = {
    "status": [[], ["COMPLETED"], ["FAILED"], ["CRASHED"], ["QUEUED", "EXECUTING"]],
    "task": [[], ["task-0"], ["task-39"]],
    "queue": [[], ["queue-0"]],
    "tag": [[], ["nightly"], ["customer-7"], ["rare"], ["absent"]],
    "test": [[], ["1"]],
    "period": [["1h"], ["7d"], ["90d"], ["all"]],
}


class Answer(NamedTuple):
    """One request: what was asked, how long it took, whether the page says it gave up."""

    query: str
    seconds: float
    stopped: bool


def measure(server: Server, runs: int, pages: int) -> Report:
    """Seed, log in, ask for the first page often and for every combination of filters once."""
    with on_postgres(server) as project:
        progress(f"seeding {runs:,} runs")
        project.inside("history.million", count=runs)
        server.settle("trackside")
        cookies = project.inside("history.login")
        with project.web() as (_, address), httpx.Client(base_url=address) as browser:
            browser.cookies.update(cookies)
            first = [_ask(browser, {}) for _ in range(10 + pages)][10:]
            everything = [_ask(browser, {"period": ["all"]}) for _ in range(pages)]
            asked = combinations()
            progress(f"{len(asked)} combinations of filters")
            answers = [_ask(browser, query) for query in asked]
    return Report(
        f"Runs list, PostgreSQL, {runs:,} runs, the real server and a logged-in session",
        _figures(first, everything, answers),
        [f"slowest: /runs?{answer.query}" for answer in _slowest(answers)],
    )


def _figures(first: list[Answer], everything: list[Answer], answers: list[Answer]) -> list[Figure]:
    milliseconds = [1000 * answer.seconds for answer in first]
    answered = [answer.seconds for answer in answers if not answer.stopped]
    stopped = [answer.seconds for answer in answers if answer.stopped]
    whole = [1000 * answer.seconds for answer in everything]
    return [
        Figure("first page, p50", median(milliseconds), "ms", at_most=FIRST_PAGE_MS),
        Figure("first page, p99", percentile(milliseconds, 99), "ms"),
        Figure("first page of all time, p50", median(whole), "ms", at_most=FIRST_PAGE_MS),
        Figure("combinations answered", len(answered), f"of {len(answers)}"),
        Figure("  p50", 1000 * median(answered), "ms"),
        Figure("  p99", 1000 * percentile(answered, 99), "ms"),
        Figure("  slowest", max(answered), "s", at_most=LONGEST_SECONDS),
        Figure("combinations stopped, and said so", len(stopped)),
        Figure("  slowest", max(stopped, default=0.0), "s", at_most=STOPPED_SECONDS),
    ]


def _ask(browser: httpx.Client, query: dict[str, list[str]]) -> Answer:
    begun = time.perf_counter()
    response = browser.get("/runs", params=query, timeout=30)
    seconds = time.perf_counter() - begun
    if response.status_code != httpx.codes.OK:
        raise SystemExit(f"{response.url} answered {response.status_code}.")
    return Answer(str(httpx.QueryParams(query)), seconds, STOPPED in response.text)


def combinations() -> list[dict[str, list[str]]]:
    """Every combination of one choice per filter."""
    chosen = (dict(zip(FILTERS, values, strict=True)) for values in product(*FILTERS.values()))
    return [{name: value for name, value in one.items() if value} for one in chosen]


def _slowest(answers: list[Answer]) -> list[Answer]:
    return sorted(answers, key=lambda answer: answer.seconds, reverse=True)[:3]


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--pages", type=int, default=100)
    chosen = options.parse_args()
    with postgres() as server:
        report = measure(server, chosen.runs, chosen.pages)
    return publish([report], chosen.json)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.pages`: every page of the dashboard over a long history, beside its budget."""

import gzip
import html
import re
import sys
import time
from contextlib import ExitStack
from typing import Any, NamedTuple

import httpx

from benchmarks.support.budgets import ALWAYS, CHANGED, PAGES, POST, TICK, Budget, Page
from benchmarks.support.postgres import postgres
from benchmarks.support.project import Project, on_postgres, on_sqlite
from benchmarks.support.report import Figure, Report, median, parser, percentile, progress, publish

WARM = 3
HTMX = {"HX-Request": "true"}
ROW = re.compile(r'id="(run_\w+)"[^>]*?data-live-row="([^"]*)"')
SENT = re.compile(r'data-send="([^"]+)"\s+data-value="([^"]*)"')
LIVE = re.compile(r'id="live-on"[^>]*?hx-get="([^"]+)"', re.S)
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
LOADED = re.compile(r'(?:<link [^>]*href|<script[^>]* src|<use href)="([^"#]+)')
LAZY = re.compile(r'hx-trigger="[^"]*\b(?:load|intersect|revealed)\b')


class Measured(NamedTuple):
    """Seconds of each request, bytes of the last answer compressed, and its status."""

    seconds: list[float]
    size: int
    status: int
    #: Requests of the first visit: the page, its files, what it asks for by itself.
    requests: int


def measure(project: Project, name: str, runs: int, days: float, times: int) -> Report:
    """Make the history, log in, and ask for each page `times` times."""
    progress(f"{runs:,} runs over {days:g} days")
    begun = time.monotonic()
    project.manage("demo", "--runs", str(runs), "--days", str(days), "--with-queued", "200")
    lasted = time.monotonic() - begun
    places = project.inside("pages.places")
    asked = {page: page.address.format(**places) for page in PAGES}
    report = Report(f"Pages, {name}, {runs:,} runs, one web process, a logged-in session")
    report.notes.append(f"The history took {lasted:,.0f} s, {runs / lasted:,.0f} runs/s.")
    with project.web() as (_, address), httpx.Client(base_url=address, timeout=30) as browser:
        statements = project.inside("pages.queries", addresses=list(asked.values()))
        browser.cookies.update(project.inside("pages.login"))
        for page, place in asked.items():
            found = _asked(browser, place, times)
            if found.status == httpx.codes.NOT_FOUND:
                report.notes.append(f"{page.name}: there is no {place}")
                continue
            report.figures += _figures(page, runs, found, statements[place] - ALWAYS)
        report.figures += _ticks(browser, runs, times)
        report.figures += _posts(browser, project, runs, times)
    return report


def _asked(browser: httpx.Client, place: str, times: int, **options: Any) -> Measured:
    headers = HTMX if "/counts" in place or "/live" in place else {}
    seconds: list[float] = []
    for number in range(WARM + times):
        begun = time.perf_counter()
        response = browser.get(place, headers=headers, **options)
        if number >= WARM:
            seconds.append(time.perf_counter() - begun)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise SystemExit(f"{response.url} answered {response.status_code}.")
    text = response.text
    requests = 1 + len(set(LOADED.findall(text))) + len(LAZY.findall(text))
    return Measured(seconds, len(gzip.compress(response.content)), response.status_code, requests)


def _figures(page: Page, runs: int, found: Measured, queries: int) -> list[Figure]:
    return [
        *_times(page.name, page.budget, runs, found),
        Figure("  queries beside the session's", queries, at_most=page.budget.queries),
        Figure("  compressed", found.size / 1000, "KB", at_most=page.budget.kilobytes),
        Figure("  requests of a first visit", found.requests),
    ]


def _times(name: str, budget: Budget, runs: int, found: Measured) -> list[Figure]:
    half, most = budget.milliseconds(runs)
    milliseconds = [1000 * seconds for seconds in found.seconds]
    return [
        Figure(f"{name}, p50", median(milliseconds), "ms", at_most=half),
        Figure("  p95", percentile(milliseconds, 95), "ms", at_most=most),
    ]


def _ticks(browser: httpx.Client, runs: int, times: int) -> list[Figure]:
    """What a tab that is open asks for every few seconds."""
    text = browser.get("/runs").text
    place = html.unescape(LIVE.search(text)[1])  # type: ignore[index]  # every list has one
    sent = [(name, html.unescape(value)) for name, value in SENT.findall(text)]
    rows = ROW.findall(text)
    same = [("have", f"{run_id}:{token}") for run_id, token in rows]
    changed = [
        ("have", f"{run_id}:{'0' if n < 5 else token}") for n, (run_id, token) in enumerate(rows)
    ]
    figures: list[Figure] = []
    for name, have, budget in (
        ("live tick, nothing changed", same, TICK),
        ("live tick, 5 rows changed", changed, CHANGED),
    ):
        address = str(httpx.URL(place).copy_merge_params(httpx.QueryParams([*sent, *have])))
        found = _asked(browser, address, times)
        figures += _times(name, budget, runs, found)
        figures.append(Figure("  status", found.status))
        figures.append(
            Figure("  compressed", found.size / 1000, "KB", at_most=budget.kilobytes + 0.1)
        )
    return figures


def _posts(browser: httpx.Client, project: Project, runs: int, times: int) -> list[Figure]:
    """Canceling runs, each from its own form."""
    seconds = []
    for run_id in project.inside("pages.open_runs", count=min(times, 100)):
        form = browser.get(f"/runs/{run_id}/cancel").text
        fields = dict(FIELD.findall(form)) | {"csrfmiddlewaretoken": TOKEN.search(form)[1]}  # type: ignore[index]
        begun = time.perf_counter()
        response = browser.post(f"/runs/{run_id}/cancel", data=fields)
        seconds.append(time.perf_counter() - begun)
        if not response.is_redirect:
            raise SystemExit(f"{response.url} answered {response.status_code}.")
    return _times("cancel, POST", POST, runs, Measured(seconds, 0, 303, 2))


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--sqlite-runs", type=int, default=100_000, help="0 leaves SQLite out")
    options.add_argument("--days", type=float, default=90)
    options.add_argument("--times", type=int, default=60)
    chosen = options.parse_args()
    reports = []
    with ExitStack() as stack:
        if chosen.runs:
            server = stack.enter_context(postgres())
            project = stack.enter_context(on_postgres(server))
            reports.append(measure(project, "PostgreSQL", chosen.runs, chosen.days, chosen.times))
    if chosen.sqlite_runs:
        with on_sqlite() as project:
            count, days = chosen.sqlite_runs, chosen.days
            reports.append(measure(project, "SQLite", count, days, chosen.times))
    return publish(reports, chosen.json)


if __name__ == "__main__":
    sys.exit(main())

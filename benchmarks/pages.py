"""`python -m benchmarks.pages`: every page of the dashboard over a long history, beside its budget."""

import gzip
import re
import sys
import time
from contextlib import ExitStack
from typing import NamedTuple

import httpx
import psutil

from benchmarks.support import tabs
from benchmarks.support.budgets import ALWAYS, CHANGED, IDLE_SHARE, PAGES, POST, TICK, Budget, Page
from benchmarks.support.postgres import postgres
from benchmarks.support.project import Project, on_database, on_postgres, on_sqlite
from benchmarks.support.report import Figure, Report, median, parser, percentile, progress, publish

WARM = 3
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
    #: Seconds of a processor that the web process took for each request.
    worked: float = 0.0


def fill(project: Project, runs: int, days: float) -> str:
    """Make the history; how long that took."""
    progress(f"{runs:,} runs over {days:g} days")
    begun = time.monotonic()
    project.manage("demo", "--runs", str(runs), "--days", str(days), "--with-queued", "200")
    lasted = time.monotonic() - begun
    return f"The history took {lasted:,.0f} s, {runs / lasted:,.0f} runs/s."


def measure(project: Project, times: int, idle: float, note: str = "") -> Report:
    """Log in, and ask for each page `times` times."""
    places, age = project.inside("pages.places"), project.inside("pages.age")
    asked = {page: page.address.format(**places) for page in PAGES}
    runs = age["runs"]
    report = Report(f"Pages, {age['vendor']}, {runs:,} runs, one web process, a logged-in session")
    report.notes.append(note or f"The newest run was made {age['minutes']:,.0f} minutes before.")
    with project.web() as (web, address), httpx.Client(base_url=address, timeout=30) as browser:
        statements = project.inside("pages.queries", addresses=list(asked.values()))
        browser.cookies.update(project.inside("pages.login"))
        used = psutil.Process(web.pid)
        for page, place in asked.items():
            progress(page.name)
            found = _asked(browser, place, times, used)
            if found.status == httpx.codes.NOT_FOUND:
                report.notes.append(f"{page.name}: there is no {place}")
                continue
            report.figures += _figures(page, runs, found, statements[place] - ALWAYS)
        report.figures += _ticks(browser, runs, times, used)
        report.figures += _idle(browser, list(asked.values()), idle)
        report.figures += _posts(browser, project, runs, times)
    return report


def _asked(browser: httpx.Client, place: str, times: int, web: psutil.Process) -> Measured:
    seconds: list[float] = []
    before = _used(web)
    for number in range(WARM + times):
        if number == WARM:
            before = _used(web)
        begun = time.perf_counter()
        response = browser.get(place, headers=tabs.headers(place))
        if number >= WARM:
            seconds.append(time.perf_counter() - begun)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise SystemExit(f"{response.url} answered {response.status_code}.")
    text = response.text
    requests = 1 + len(set(LOADED.findall(text))) + len(LAZY.findall(text))
    each = (_used(web) - before) / times
    size = len(gzip.compress(response.content))
    return Measured(seconds, size, response.status_code, requests, each)


def _used(web: psutil.Process) -> float:
    """Seconds of a processor."""
    times = web.cpu_times()
    return times.user + times.system


def _figures(page: Page, runs: int, found: Measured, queries: int) -> list[Figure]:
    return [
        *_times(page.name, page.budget, runs, found),
        Figure("  queries beside the session's", queries, at_most=page.budget.queries),
        Figure("  compressed", found.size / 1000, "KB", at_most=page.budget.kilobytes),
        Figure("  requests of a first visit", found.requests),
        Figure("  processor time of the web process", 1000 * found.worked, "ms"),
    ]


def _times(name: str, budget: Budget, runs: int, found: Measured) -> list[Figure]:
    half, most = budget.milliseconds(runs)
    milliseconds = [1000 * seconds for seconds in found.seconds]
    return [
        Figure(f"{name}, p50", median(milliseconds), "ms", at_most=half),
        Figure("  p95", percentile(milliseconds, 95), "ms", at_most=most),
    ]


def _ticks(browser: httpx.Client, runs: int, times: int, web: psutil.Process) -> list[Figure]:
    """What a tab that is open asks for every few seconds."""
    text = browser.get("/runs").text
    figures: list[Figure] = []
    for name, stale, budget in (
        ("live tick, nothing changed", 0, TICK),
        ("live tick, 5 rows changed", 5, CHANGED),
    ):
        found = _asked(browser, tabs.tick(text, stale), times, web)
        figures += _times(name, budget, runs, found)
        figures.append(Figure("  status", found.status))
        figures.append(
            Figure("  compressed", found.size / 1000, "KB", at_most=budget.kilobytes + 0.1)
        )
        figures.append(Figure("  processor time of the web process", 1000 * found.worked, "ms"))
    return figures


def _idle(browser: httpx.Client, places: list[str], lasting: float) -> list[Figure]:
    """A tab of each page that has ticks, side by side, while nothing happens."""
    shown = {place: browser.get(place).text for place in places}
    due = {place: tabs.seconds(text) for place, text in shown.items() if tabs.tick(text)}
    progress(f"{len(due)} idle tabs for {lasting:g} s")
    asked = unchanged = 0
    end = time.monotonic() + lasting
    waiting = {place: time.monotonic() + every for place, every in due.items()}
    while waiting and (first := min(waiting.values())) < end:
        time.sleep(max(0.0, first - time.monotonic()))
        place = min(waiting, key=lambda one: waiting[one])
        answer = browser.get(tabs.tick(shown[place]), headers=tabs.HTMX)
        waiting[place] = time.monotonic() + due[place]
        asked += 1
        unchanged += answer.status_code == httpx.codes.NO_CONTENT
        if answer.status_code != httpx.codes.NO_CONTENT:
            shown[place] = browser.get(place).text
    if not asked:
        return []
    name = f"{len(due)} idle tabs, {asked:,} ticks, answered without content"
    return [Figure(name, 100 * unchanged / asked, "%", at_least=100 * IDLE_SHARE)]


def _posts(browser: httpx.Client, project: Project, runs: int, times: int) -> list[Figure]:
    """Canceling runs, each from its own form."""
    seconds = []
    for run_id in project.inside("pages.open_runs", count=min(times, 30)):
        form = browser.get(f"/runs/{run_id}/cancel").text
        fields = dict(FIELD.findall(form)) | {"csrfmiddlewaretoken": TOKEN.search(form)[1]}  # type: ignore[index]
        begun = time.perf_counter()
        response = browser.post(f"/runs/{run_id}/cancel", data=fields)
        seconds.append(time.perf_counter() - begun)
        if not response.is_redirect:
            raise SystemExit(f"{response.url} answered {response.status_code}.")
    return _times("cancel, POST", POST, runs, Measured(seconds, 0, 303, 2)) if seconds else []


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--sqlite-runs", type=int, default=100_000, help="0 leaves SQLite out")
    options.add_argument("--days", type=float, default=90)
    options.add_argument("--times", type=int, default=60)
    options.add_argument("--idle", type=float, default=60, help="seconds to watch idle tabs")
    options.add_argument(
        "--database-url",
        action="append",
        default=[],
        help="measure this database as it is (migrated, filled by “manage.py demo”) instead; several",
    )
    chosen = options.parse_args()
    reports = []
    for url in chosen.database_url:
        with on_database(url) as project:
            reports.append(measure(project, chosen.times, chosen.idle))
    if chosen.database_url:
        return publish(reports, chosen.json)
    with ExitStack() as stack:
        if chosen.runs:
            server = stack.enter_context(postgres())
            project = stack.enter_context(on_postgres(server))
            note = fill(project, chosen.runs, chosen.days)
            reports.append(measure(project, chosen.times, chosen.idle, note))
    if chosen.sqlite_runs:
        with on_sqlite() as project:
            note = fill(project, chosen.sqlite_runs, chosen.days)
            reports.append(measure(project, chosen.times, chosen.idle, note))
    return publish(reports, chosen.json)


if __name__ == "__main__":
    sys.exit(main())

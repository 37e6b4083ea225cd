"""What a page of the dashboard may cost, and which pages there are to measure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Milliseconds (median, 95th percentile) at a million runs and at ten, queries, KB compressed."""

    small: tuple[float, float]
    large: tuple[float, float]
    queries: int
    kilobytes: float

    def milliseconds(self, runs: int) -> tuple[float, float]:
        return self.large if runs >= 5_000_000 else self.small


@dataclass(frozen=True, slots=True)
class Page:
    """A page, its address with places in braces that `benchmarks.inside.pages` fills, and its budget."""

    name: str
    address: str
    budget: Budget


LIST = Budget((40, 100), (50, 150), 6, 12)
FILTERED = Budget((60, 150), (80, 250), 6, 20)
#: With the strip of runs over time and its table.
COUNTS = Budget((50, 150), (100, 300), 2, 5)
RUN = Budget((60, 150), (60, 150), 8, 25)
LONG_RUN = Budget((150, 300), (150, 300), 8, 60)
OVERVIEW = Budget((60, 150), (80, 200), 6, 20)
TICK = Budget((5, 15), (5, 15), 1, 0)
CHANGED = Budget((12, 30), (12, 30), 2, 2)
POST = Budget((40, 120), (40, 120), 6, 1)
#: Pages the plan gives no figures: as the overview, with two more queries.
OTHER = Budget((60, 150), (80, 200), 8, 25)
#: And those with charts and several lists; what they ask does not grow with what is in them.
RICH = Budget((60, 150), (80, 200), 24, 25)
#: Finds its window among the lines by halving: many statements, each by a key.
SEARCH = Budget((150, 400), (200, 600), 60, 25)

#: Of each request: the session and the person.
ALWAYS = 2

FOUR_FILTERS = "status=FAILED&task=shop/sync-customer&period=7d&queue={queue}&rows=50"
PAGES = (
    Page("runs, 25 rows", "/runs", LIST),
    Page("runs, 50 rows, 4 filters", f"/runs?{FOUR_FILTERS}", FILTERED),
    Page("runs of 90 days, one task", "/runs?period=90d&task={task}", FILTERED),
    Page("runs by tag, 7 days", "/runs?period=7d&tag=customer%3Ac0001", FILTERED),
    Page("runs by text of the error", "/runs?q=error%3AGatewayTimeout", FILTERED),
    Page("counts per status", "/runs/counts?period=24h", COUNTS),
    Page("run", "/runs/{run}", RUN),
    Page("run, trace", "/runs/{run}?tab=trace", RUN),
    Page("run, data", "/runs/{run}?tab=data", RUN),
    Page("run, logs", "/runs/{run}?tab=logs", RUN),
    Page("run, trace of 1,200 spans", "/runs/{long_run}?tab=trace", LONG_RUN),
    Page("run, 3,000 log lines", "/runs/{long_run}?tab=logs", LONG_RUN),
    Page("overview", "/", OVERVIEW),
    Page("task", "/tasks/{task}", RICH),
    Page("metrics", "/metrics", RICH),
    Page("errors", "/errors", OTHER),
    Page("error", "/errors/{error}", RICH),
    Page("queues", "/queues", OTHER),
    Page("queue", "/queues/{queue}", RICH),
    Page("schedules", "/schedules", OTHER),
    Page("schedule", "/schedules/{schedule}", OTHER),
    Page("batches", "/batches", OTHER),
    Page("batch", "/batches/{batch}", OTHER),
    Page("wait tokens", "/wait-tokens", OTHER),
    Page("test", "/test/{task}", OTHER),
    Page("workers", "/workers", OTHER),
    Page("logs", "/logs", SEARCH),
    Page("logs with a word", "/logs?q=giving&period=7d", SEARCH),
    Page("versions", "/deploys", RICH),
    Page("replay, the form", "/runs/{run}/replay", RUN),
    Page("audit", "/settings/audit", OTHER),
)

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
#: Several things side by side: what waits and what executes, two runs, how each status is kept.
SEVERAL = Budget((60, 150), (80, 200), 10, 25)
#: Looks into hundreds of runs, once the page is shown.
PART = Budget((150, 400), (200, 600), 8, 5)
#: All of the API on one page.
REFERENCE = Budget((150, 300), (150, 300), 8, 60)
#: Looks through lines, or runs, as long as somebody waits.
SEARCH = Budget((150, 400), (200, 600), 8, 25)
#: Of the requests of a tab in which nothing happens, those answered without content.
IDLE_SHARE = 0.95

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
    Page("run, data", "/runs/{run}?tab=payload", RUN),
    Page("run, attempts", "/runs/{run}?tab=attempts", RUN),
    Page("run, detail", "/runs/{run}?tab=detail", RUN),
    Page("run, context", "/runs/{run}?tab=context", RUN),
    Page("run, steps and waits", "/runs/{run}?tab=journal", RUN),
    Page("run, history", "/runs/{run}?tab=history", RUN),
    Page("run, streams", "/runs/{run}?tab=streams", RUN),
    Page("run, logs", "/runs/{run}?tab=logs", RUN),
    Page("run, trace of 1,200 spans", "/runs/{long_run}?tab=trace", LONG_RUN),
    Page("run, 3,000 log lines", "/runs/{long_run}?tab=logs", LONG_RUN),
    Page("overview", "/", OVERVIEW),
    Page("task", "/tasks/{task}", OTHER),
    Page("task, performance", "/tasks/{task}?tab=performance", OTHER),
    Page("metrics", "/metrics", OTHER),
    Page("metrics of 90 days", "/metrics?period=90d", OTHER),
    Page("errors", "/errors", OTHER),
    Page("errors by window", "/errors?view=matrix", OTHER),
    Page("error", "/errors/{error}", OTHER),
    Page("error, what failures share", "/errors/{error}?shared", PART),
    Page("flaky tasks", "/errors/flaky", OTHER),
    Page("queues", "/queues", OTHER),
    Page("queue", "/queues/{queue}", SEVERAL),
    Page("queue, keys", "/queues/{queue}?tab=keys", SEVERAL),
    Page("schedules", "/schedules", OTHER),
    Page("schedule", "/schedules/{schedule}", OTHER),
    Page("schedule, the form", "/schedules/new", OTHER),
    Page("agenda", "/schedules/agenda", OTHER),
    Page("batches", "/batches", OTHER),
    Page("batch", "/batches/{batch}", OTHER),
    Page("bulk actions", "/bulk", OTHER),
    Page("bulk action, the preview", "/bulk/new?action=replay&status=FAILED&period=7d", SEARCH),
    Page("purge, the preview", "/bulk/purge?status=QUEUED&period=all", SEARCH),
    Page("wait tokens", "/wait-tokens", OTHER),
    Page("wait token", "/wait-tokens/{token}", OTHER),
    Page("test, which task", "/test", OTHER),
    Page("test", "/test/{task}", OTHER),
    Page("workers", "/workers", OTHER),
    Page("logs", "/logs?period=24h", SEARCH),
    Page("logs with a word", "/logs?q=giving&period=7d", SEARCH),
    Page("versions", "/deploys", OTHER),
    Page("compare", "/runs/compare?a={run}&b={other}", SEVERAL),
    Page("replay, the form", "/runs/{run}/replay", RUN),
    Page("cancel, the form", "/runs/{run}/cancel", RUN),
    Page("audit", "/settings/audit", OTHER),
    Page("alerts", "/settings/alerts", OTHER),
    Page("retention", "/settings/retention", SEVERAL),
    Page("limits", "/settings/limits", OTHER),
    Page("members", "/settings/members", OTHER),
    Page("API keys", "/settings/keys", OTHER),
    Page("variables", "/variables", OTHER),
    Page("saved views", "/views", OTHER),
    Page("preferences", "/me", OTHER),
    Page("jump", "/jump?q=shop", OTHER),
    Page("shortcuts", "/help/shortcuts", OTHER),
    Page("API reference", "/help/api", REFERENCE),
)

"""Trackside's numbers as families of metrics.

By prometheus-client (pure Python, Apache 2.0, no dependencies): it knows how labels are escaped, and its
parser checks ours in tests. Its counters that live in a process are not used: web processes come and go
and any of them may be asked, so every number is read from the database when somebody asks, by a collector.
Only what is said of the web process itself is of the one that answers.

Tasks and queues beyond METRICS_NAMES are one label value together, so that labels stay bounded.
"""

import platform
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

import django
from django.db import connection
from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily as Counter,
)
from prometheus_client.core import (
    GaugeMetricFamily as Gauge,
)
from prometheus_client.core import (
    HistogramMetricFamily as Histogram,
)

from dashboard.monitoring import served
from dashboard.realtime.hub import held
from runs import histograms
from runs.lifecycle.rollups import mark
from runs.lifecycle.totals import OTHER
from runs.models import Facet, Total
from runs.reads import gauges
from runs.reads.rollups import tally_of
from runs.reads.server import server
from runs.reads.tally import ENDINGS, Tally
from runs.release import release

#: The upper ends of ranges of time as Prometheus names them, in seconds.
EDGES = [f"{bound / 1000:g}" for bound in histograms.BOUNDS] + ["+Inf"]
SERVED = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


def totals() -> Iterator[Metric]:
    """What runs came to, counted ahead: it only rises, a minute at a time."""
    rows = [(one.facet, one.name or OTHER, tally_of(one)) for one in Total.objects.order_by("pk")]
    tasks = [(name, tally) for facet, name, tally in rows if facet == Facet.TASK]
    queues = [(name, tally) for facet, name, tally in rows if facet == Facet.QUEUE]
    yield counted("runs_triggered", "Runs made.", "task", tasks, "triggered")
    yield ended("runs_ended", "Runs that ended, by how they did.", "task", tasks)
    yield counted("runs_recovered", "Runs completed after a retry.", "task", tasks, "recovered")
    yield counted("attempts", "Attempts of the runs that ended.", "task", tasks, "attempts")
    yield counted("queue_runs_triggered", "Runs made.", "queue", queues, "triggered")
    yield ended("queue_runs_ended", "Runs that ended, by how they did.", "queue", queues)
    took = [(name, tally.durations) for name, tally in tasks]
    yield ranges("run_duration_seconds", "First start to end, waits included.", "task", took)
    waited = [(name, tally.waits) for name, tally in queues]
    yield ranges("queue_wait_seconds", "In the queue until the first start.", "queue", waited)
    yield gauge(
        "counted_until_timestamp_seconds",
        "Counters have every run that ended before.",
        mark().totaled_until.timestamp(),
    )


def queues() -> Iterator[Metric]:
    """How full they are."""
    states = sorted(gauges.by_queue(OTHER).items())
    yield by("queue_depth", "Queued runs.", "queue", ((n, s.queued) for n, s in states))
    yield by(
        "queue_oldest_seconds",
        "How long the first queued run has waited.",
        "queue",
        ((n, s.oldest) for n, s in states),
    )
    yield by("queue_executing", "Runs with a slot.", "queue", ((n, s.executing) for n, s in states))
    yield by(
        "queue_limit",
        "Runs that may execute at once, of each key or of all; queues without a limit are left out.",
        "queue",
        ((n, s.limit) for n, s in states if s.limit is not None),
    )
    yield by(
        "queue_paused", "1 where it is paused.", "queue", ((n, s.is_paused) for n, s in states)
    )


def runs() -> Iterator[Metric]:
    """Those that are open."""
    yield by(
        "runs_open",
        f"Runs by status; more than {gauges.CAP} are counted as one more than that.",
        "status",
        gauges.open_runs().items(),
    )


def fleet() -> Iterator[Metric]:
    """The clusters and their workers."""
    found = gauges.fleet()
    yield by("clusters", "Clusters by state.", "state", found.clusters.items())
    yield gauge("worker_slots", "Runs the clusters execute at once.", found.slots)
    yield gauge("worker_slots_busy", "Slots in use.", found.busy)
    yield gauge("worker_memory_bytes", "Memory of all worker processes.", found.memory)


def schedules() -> Iterator[Metric]:
    found = gauges.schedules()
    yield gauge("schedules_active", "Schedules that are switched on.", found.active)
    yield gauge(
        "schedule_lateness_seconds", "How long the most belated fire is overdue.", found.late
    )
    yield counter("schedule_missed", "Fires that nobody made at their time.", found.missed)


def database() -> Iterator[Metric]:
    """The server, by its own statistics; SQLite has few."""
    found = server()
    info = Gauge("trackside_database_info", "The database.", labels=["vendor", "version"])
    info.add_metric([found.vendor, found.version], 1)
    yield info
    yield gauge("database_size_bytes", "The whole database.", found.size)
    is_async = found.is_async or found.is_unsafe
    yield gauge(
        "database_async_commit", "1 where a power cut loses what was acknowledged.", is_async
    )
    if found.vendor != "postgresql":
        yield gauge("database_log_bytes", "The write-ahead log of SQLite.", found.log_size)
        return
    yield gauge(
        "database_oldest_snapshot_seconds",
        "Since then dead rows cannot be removed.",
        found.oldest_snapshot,
    )
    yield gauge("database_connections", "Connections to the database.", found.connections)
    yield gauge("database_connections_max", "As many as the server takes.", found.most_connections)
    yield gauge(
        "database_transaction_age", "Transactions since the oldest row.", found.transaction_age
    )
    yield gauge("database_clock_ahead_seconds", "This process's clock against it.", found.ahead)
    tables = found.tables
    yield by("table_dead_rows", "Of hot tables.", "table", ((one.name, one.dead) for one in tables))
    yield by("table_live_rows", "Of hot tables.", "table", ((one.name, one.live) for one in tables))


def web() -> Iterator[Metric]:
    """Of the web process that answers."""
    info = Gauge("trackside_info", "This process.", labels=["version", "python", "django"])
    info.add_metric([release(), platform.python_version(), django.get_version()], 1)
    yield info
    answers = ((SERVED.get(kind, "1xx"), count) for kind, count in sorted(served.answers.items()))
    family = Counter("trackside_web_requests", "Requests answered.", labels=["status"])
    for status, count in answers:
        family.add_metric([status], count)
    yield family
    yield counter("web_request_seconds", "Time all of them took.", served.seconds)
    yield gauge("web_subscribers", "Requests for realtime it holds.", held())
    if pool := getattr(connection, "pool", None):
        told = pool.get_stats()
        yield gauge("web_pool_size", "Connections it keeps.", told.get("pool_size", 0))
        yield gauge("web_pool_available", "Those in no use.", told.get("pool_available", 0))
        yield gauge(
            "web_pool_waiting", "Requests that wait for one.", told.get("requests_waiting", 0)
        )
        yield counter(
            "web_pool_timeouts", "Requests that got none.", told.get("requests_errors", 0)
        )


#: What is read together, each with a limit of time of its own.
PARTS: tuple[Callable[[], Iterator[Metric]], ...] = (
    totals, queues, runs, fleet, schedules, database, web,
)  # fmt: skip


def gauge(name: str, text: str, value: float) -> Gauge:
    return Gauge(f"trackside_{name}", text, value=float(value))


def counter(name: str, text: str, value: float) -> Counter:
    return Counter(f"trackside_{name}", text, value=float(value))


def by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Gauge:
    """A gauge for each value of a label."""
    family = Gauge(f"trackside_{name}", text, labels=[label])
    for key, value in values:
        family.add_metric([key], float(value))
    return family


def counted(
    name: str, text: str, label: str, rows: Iterable[tuple[str, Tally]], column: str
) -> Counter:
    family = Counter(f"trackside_{name}", text, labels=[label])
    for key, tally in rows:
        family.add_metric([key], tally.of(column))
    return family


def ended(name: str, text: str, label: str, rows: Iterable[tuple[str, Tally]]) -> Counter:
    family = Counter(f"trackside_{name}", text, labels=[label, "status"])
    for key, tally in rows:
        for status, column in ENDINGS.items():
            family.add_metric([key, status], tally.of(column))
    return family


def ranges(
    name: str, text: str, label: str, rows: Iterable[tuple[str, histograms.Counts]]
) -> Histogram:
    """Without a sum, which is not counted: quantiles and rates need none."""
    family = Histogram(f"trackside_{name}", text, labels=[label])
    for key, counts in rows:
        below = accumulate(counts.get(place, 0) for place in range(histograms.SLOTS))
        family.add_metric([key], list(zip(EDGES, below, strict=True)), sum_value=None)
    return family

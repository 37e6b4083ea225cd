"""The charts of rollups that Metrics, the page of a task and that of a queue share."""

from collections.abc import Sequence
from datetime import datetime

from django.urls import reverse
from django.utils import timezone

from dashboard import presenters
from dashboard.pages import charts
from dashboard.pages.charts import Bucket, Chart, Dot, Row, Series
from dashboard.pages.scales import percent_text
from dashboard.pages.timeaxis import Axis
from runs import histograms
from runs.histograms import Counts
from runs.models import Depth
from runs.reads.samples import Took
from runs.reads.tally import Tally
from runs.states import RunStatus

ENDED = (Series("Completed", "ok"), Series("Canceled", "idle"), Series("Failed", "bad"))
HALF_AND_MOST = (Series("p50", "active"), Series("p95", "warn"))
SLOWEST = 25
seconds_text = presenters.duration_text


def throughput(axis: Axis, bars: Sequence[Tally], hrefs: Sequence[str], href: str = "") -> Chart:
    """What ended, by how."""
    values = [(bar.completed, bar.canceled, bar.bad) for bar in bars]
    buckets = _buckets(axis, values, hrefs)
    return charts.stacked("throughput", "Runs that ended", ENDED, buckets, href=href)


def flow(axis: Axis, bars: Sequence[Tally], hrefs: Sequence[str]) -> Chart:
    """How many came and how many went."""
    series = Series("Came", "active"), Series("Ended", "ok")
    buckets = _buckets(axis, [(bar.triggered, bar.ended) for bar in bars], hrefs)
    return charts.lines("flow", "In and out", series, buckets)


def failures(axis: Axis, bars: Sequence[Tally], hrefs: Sequence[str]) -> Chart:
    buckets = _buckets(axis, [(bar.failure_rate,) for bar in bars], hrefs)
    series = (Series("Failed", "bad"),)
    return charts.lines("failures", "Failure rate", series, buckets, form=percent_text)


def durations(axis: Axis, bars: Sequence[Tally], hrefs: Sequence[str]) -> Chart:
    values = [(bar.duration(0.5), bar.duration(0.95)) for bar in bars]
    buckets = _buckets(axis, values, hrefs)
    return charts.lines("durations", "Duration", HALF_AND_MOST, buckets, form=seconds_text)


def waits(axis: Axis, bars: Sequence[Tally], hrefs: Sequence[str]) -> Chart:
    values = [(bar.wait(0.5), bar.wait(0.95)) for bar in bars]
    buckets = _buckets(axis, values, hrefs)
    return charts.lines("waits", "Wait in the queue", HALF_AND_MOST, buckets, form=seconds_text)


def ranges(counts: Counts, title: str = "How long runs took") -> Chart:
    """The histogram with its percentiles."""
    bars = [(range_words(place), counts.get(place, 0)) for place in range(histograms.SLOTS)]
    marks = []
    for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
        value = histograms.quantile(counts, share)
        if value is not None:
            marks.append((f"{name} {seconds_text(value / 1000)}", _place(value)))
    return charts.histogram("ranges", title, bars, marks=marks)


def range_words(place: int) -> str:
    low, high = histograms.ends(place)
    if place == 0:
        return f"under {seconds_text(high / 1000)}"
    if place == histograms.SLOTS - 1:
        return f"over {seconds_text(low / 1000)}"
    return f"{seconds_text(low / 1000)} to {seconds_text(high / 1000)}"


def starts(axis: Axis, found: Sequence[Took], made: int, href: str) -> Chart:
    """A dot for each run: when it began, how long it took."""
    points = [
        Dot(axis.share(one.started_at), one.seconds, one.status != RunStatus.COMPLETED)
        for one in found
    ]
    most = sorted(found, key=lambda one: -one.seconds)[:SLOWEST]
    rows = [Row(_when(one.started_at), _cells(one), _run(one.run_id)) for one in most]
    return charts.dots(
        "starts",
        "Start and duration",
        points,
        (axis.label(axis.start), axis.label(axis.now)),
        of=max(made, len(found)),
        twin=(("The slowest of these, by start", "Task", "Ended", "Took"), rows),
        form=seconds_text,
        href=href,
        summary=f"Start and duration of {len(found):,} of {max(made, len(found)):,} runs.",
    )


def depth(axis: Axis, samples: Sequence[Depth], title: str, ceiling: str) -> Chart:
    """What executed and what waited, and the room there was; the mean of each bar."""
    values: list[tuple[float | None, ...]] = []
    for some in by_bar(axis, samples):
        rooms = [one.room for one in some if one.room is not None]
        values.append(
            (
                _mean([one.running for one in some]),
                _mean([one.queued for one in some]),
                _mean(rooms),
            )
        )
    series = Series("Running", "active"), Series("Queued", "warn"), Series(ceiling, "idle")
    return charts.lines("depth", title, series, _buckets(axis, values, []))


def by_bar(axis: Axis, samples: Sequence[Depth]) -> list[list[Depth]]:
    bars: list[list[Depth]] = [[] for _ in axis.starts]
    for one in samples:
        if (place := axis.place(one.at)) >= 0:
            bars[place].append(one)
    return bars


def _buckets(
    axis: Axis, values: Sequence[tuple[float | None, ...]], hrefs: Sequence[str]
) -> list[Bucket]:
    links = hrefs or [""] * len(values)
    whole = zip(axis.labels, values, links, axis.is_last, strict=True)
    return [Bucket(label, value, href, is_last) for label, value, href, is_last in whole]


def _place(milliseconds: float) -> float:
    """Where a time lies among the bars of the histogram."""
    place = histograms.slot(milliseconds)
    low, high = histograms.ends(place)
    return place + min(1.0, (milliseconds - low) / (high - low))


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 1) if values else None


def _when(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%-d %b %H:%M:%S}"


def _cells(one: Took) -> tuple[str, ...]:
    return one.task_id, presenters.LOOKS[one.status].word, seconds_text(one.seconds)


def _run(run_id: str) -> str:
    return reverse("dashboard:run", args=[run_id])

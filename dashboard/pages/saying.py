"""The sentences and tables of charts."""

from collections.abc import Sequence

from dashboard.pages.chartparts import Bucket, Format, Hit, Row, Series
from dashboard.pages.scales import count_text

#: In place of a chart: its time went by without any of it, or nobody knows how long it took.
NOTHING, UNMEASURED = "Nothing happened in this time.", "Nothing was measured in this time."


def row(bucket: Bucket, form: Format) -> Row:
    label = f"{bucket.label} (not over)" if bucket.is_partial else bucket.label
    return Row(label, tuple(form(value) for value in bucket.values), bucket.href)


def hit(bucket: Bucket, series: Sequence[Series], form: Format) -> Hit:
    said = ", ".join(
        f"{form(value)} {one.label.lower()}"
        for value, one in zip(bucket.values, series, strict=True)
        if value is not None
    )
    return Hit(f"{bucket.label}: {said or 'not known'}", bucket.href)


def total(buckets: Sequence[Bucket], at: int) -> float:
    return sum(bucket.values[at] or 0 for bucket in buckets)


def last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def stacked_sentence(
    title: str, series: Sequence[Series], buckets: Sequence[Bucket], form: Format
) -> str:
    if not any(bucket.total for bucket in buckets):
        return NOTHING
    peak = max(buckets, key=lambda bucket: bucket.total)
    parts = ", ".join(
        f"{form(total(buckets, at))} {one.label.lower()}" for at, one in enumerate(series)
    )
    return f"{title}: {parts}; most at {peak.label} with {form(peak.total)}."


def is_flat(buckets: Sequence[Bucket], form: Format) -> bool:
    """Whether lines that count stay at zero; a rate or a duration of zero says something."""
    known = [value for bucket in buckets for value in bucket.values if value is not None]
    return bool(known) and form is count_text and not any(known)


def lines_sentence(
    title: str, series: Sequence[Series], buckets: Sequence[Bucket], form: Format
) -> str:
    if is_flat(buckets, form):
        return NOTHING
    parts = []
    for at, one in enumerate(series):
        values = [bucket.values[at] for bucket in buckets]
        known = [value for value in values if value is not None]
        if known:
            parts.append(f"{one.label} {form(last(values))} at the end, at most {form(max(known))}")
    return f"{title}: {'; '.join(parts)}." if parts else UNMEASURED


def histogram_sentence(title: str, bars: Sequence[tuple[str, int]]) -> str:
    whole = sum(count for _, count in bars)
    if not whole:
        return NOTHING
    label, count = max(bars, key=lambda bar: bar[1])
    return f"{title}: {whole:,} runs, most of them ({count:,}) {label}."

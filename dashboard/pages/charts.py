"""Charts as server-rendered SVG: one sentence, a picture, and the same numbers as a table.

A page makes a chart of plain numbers and its template shows it; nothing here asks the database:

    chart = charts.stacked(
        "runs", "Runs", SERIES,
        [charts.Bucket("14:00", (120, 3), href="/runs?…"), charts.Bucket("15:00", (80, 0), is_partial=True)],
    )
    {% load charts %} {% chart_styles %} in `{% block styles %}`, {% chart_patterns %} once in the
    content, outside of what a tick replaces, and {% chart chart %} where it stands.

`stacked`, `lines`, `histogram`, `dots` are figures with a heading, a legend and a table twin. `spark`,
`outcomes` and `gauge` of `dashboard.pages.sparks` are for a cell, shown by {% spark one %}. Geometry is
in percent, so that a figure is as wide as its place and its lines and letters stay what they are.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import log10
from typing import Any, Unpack

from dashboard.pages.chartparts import (
    Bucket,
    Chart,
    Dot,
    Format,
    Layer,
    Reference,
    Row,
    Said,
    Series,
)
from dashboard.pages.drawing import across, few, line, partial, scaled, stack
from dashboard.pages.saying import (
    NOTHING,
    histogram_sentence,
    hit,
    is_flat,
    last,
    lines_sentence,
    row,
    stacked_sentence,
    total,
)
from dashboard.pages.scales import Scale, count_text

__all__ = [
    "Bucket",
    "Chart",
    "Dot",
    "Reference",
    "Row",
    "Series",
    "dots",
    "histogram",
    "lines",
    "stacked",
]

#: Dots of one chart; more are sampled by whoever asks for them.
MOST_DOTS = 2000


def stacked(
    key: str,
    title: str,
    series: Sequence[Series],
    buckets: Sequence[Bucket],
    *,
    form: Format = count_text,
    reference: Reference | None = None,
    **said: Unpack[Said],
) -> Chart:
    """Bars on top of each other: how many of each kind in each bucket."""
    height = scaled([bucket.total for bucket in buckets], reference, form)
    layers = [Layer(one, note=form(total(buckets, at))) for at, one in enumerate(series)]
    for place, bucket in enumerate(buckets):
        stack(layers, bucket, place, len(buckets), height)
    figure = _figure(title, series, buckets, layers, height, form, reference)
    summary = said.get("summary") or stacked_sentence(title, series, buckets, form)
    is_empty = not any(bucket.total for bucket in buckets)
    return replace(figure, **_said(said), key=key, summary=summary, is_empty=is_empty)


def lines(
    key: str,
    title: str,
    series: Sequence[Series],
    buckets: Sequence[Bucket],
    *,
    form: Format = count_text,
    reference: Reference | None = None,
    **said: Unpack[Said],
) -> Chart:
    """One line for each series; where a value is None it is broken."""
    known = [value for bucket in buckets for value in bucket.values if value is not None]
    height = scaled(known, reference, form)
    layers = []
    for at, one in enumerate(series):
        values = [bucket.values[at] for bucket in buckets]
        path, alone = line(values, height)
        layers.append(Layer(one, path=path, dots=alone, note=form(last(values))))
    figure = _figure(title, series, buckets, layers, height, form, reference)
    summary = said.get("summary") or lines_sentence(title, series, buckets, form)
    is_empty = not known or is_flat(buckets, form)
    return replace(figure, **_said(said), key=key, kind="lines", summary=summary, is_empty=is_empty)


def _figure(
    title: str,
    series: Sequence[Series],
    buckets: Sequence[Bucket],
    layers: list[Layer],
    height: Scale,
    form: Format,
    reference: Reference | None,
) -> Chart:
    """What bars and lines over the same x axis have in common."""
    return Chart(
        key="",
        title=title,
        summary="",
        headings=("Time", *(one.label for one in series)),
        rows=[row(bucket, form) for bucket in buckets],
        layers=layers,
        ticks=height.ticks,
        labels=few([bucket.label for bucket in buckets]),
        reference=across(reference, height),
        partial=partial(buckets),
        hits=tuple(hit(bucket, series, form) for bucket in buckets),
    )


def _said(said: Said) -> dict[str, Any]:
    return {name: said.get(name, "") for name in ("note", "href")}


def histogram(
    key: str,
    title: str,
    bars: Sequence[tuple[str, int]],
    *,
    marks: Sequence[tuple[str, float]] = (),
    hrefs: Sequence[str] = (),
    **said: Unpack[Said],
) -> Chart:
    """How many fall into each range. `marks` are words and places on the x axis, counted in bars."""
    whole = sum(count for _, count in bars) or 1
    links = hrefs or [""] * len(bars)
    buckets = [Bucket(label, (n,), href) for (label, n), href in zip(bars, links, strict=True)]
    chart = stacked(key, title, (Series("Runs", "active"),), buckets)
    rows = [
        Row(label, (f"{count:,}", f"{count / whole:.1%}"), href)
        for (label, count), href in zip(bars, links, strict=True)
        if count
    ]
    return Chart(
        key=key,
        title=title,
        summary=said.get("summary") or histogram_sentence(title, bars),
        headings=("Range", "Runs", "Share"),
        rows=rows,
        layers=chart.layers,
        ticks=chart.ticks,
        labels=chart.labels,
        marks=tuple((f"{at / len(bars) * 100:.2f}", word) for word, at in marks) if bars else (),
        hits=chart.hits,
        **_said(said),
        is_empty=chart.is_empty,
    )


def dots(
    key: str,
    title: str,
    points: Sequence[Dot],
    labels: Sequence[str],
    *,
    of: int,
    twin: tuple[tuple[str, ...], list[Row]],
    form: Format = count_text,
    **said: Unpack[Said],
) -> Chart:
    """A dot for each of `points`, MOST_DOTS at most, on a logarithmic y axis; failures are squares.

    `of` is how many there are; `twin` are headings and rows of the table.
    """
    shown = points[:MOST_DOTS]
    low = log10(max(min((one.y for one in shown), default=1), 0.001))
    high = max(log10(max(max((one.y for one in shown), default=1), 0.001)), low + 1)
    fine, bad = Layer(Series("Completed", "ok")), Layer(Series("Failed", "bad"), is_square=True)
    for one in shown:
        y = 100 - (log10(max(one.y, 0.001)) - low) / (high - low) * 100
        (bad if one.is_bad else fine).dots.append((f"{one.x * 100:.1f}", f"{y:.1f}"))
    ticks = tuple(form(10**at) for at in (high, (high + low) / 2, low))
    return Chart(
        key=key,
        kind="dots",
        title=title,
        summary=(said.get("summary") or f"{title}: {len(shown):,} of {of:,} runs.")
        if shown
        else NOTHING,
        headings=twin[0],
        rows=twin[1],
        layers=[layer for layer in (fine, bad) if layer.dots],
        ticks=ticks if shown else (),
        labels=tuple(labels),
        note=f"{len(shown):,} of {of:,}" if of > len(shown) else f"{of:,}" if shown else "",
        href=said.get("href", ""),
        is_empty=not shown,
    )

"""The cells of the runs list, drawn by code: twenty of them in a hundred rows cost a template too long."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from dashboard import presenters
from dashboard.pages.columns import Column
from dashboard.templatetags import trackside
from runs.states import OPEN, UNSUCCESSFUL, RunStatus

Row = dict[str, Any]
Drawn = SafeString | str


class Look(NamedTuple):
    """How a column is drawn: class of its cells, and what is in them."""

    css: str
    draw: Callable[[Row], Drawn]


def cells(row: Row, columns: tuple[Column, ...], values: dict[str, Any]) -> SafeString:
    """All cells of a row between the box and the buttons."""
    return mark_safe("".join(_cell(row, column, values) for column in columns))  # noqa: S308


def _cell(row: Row, column: Column, values: dict[str, Any]) -> SafeString:
    if look := LOOKS.get(column.name):
        html = '<td data-label="{}" class="{}">{}</td>'
        return format_html(html, column.heading, look.css, look.draw(row))
    value = values[column.name]
    shown = trackside.moment(value) if isinstance(value, datetime) else value
    html = '<td data-label="{}" class="clip added" title="{}">{}</td>'
    return format_html(html, column.heading, "" if shown is not value else value, shown)


def _status(row: Row) -> Drawn:
    drawn = trackside.status(row["look"])
    if row["tries"] < 2:
        return drawn
    html = '{} <span class="dim" title="Attempt {} of {}">{}/{}</span>'
    return format_html(html, drawn, *(row["tries"], row["max_tries"]) * 2)


def _task(row: Row) -> Drawn:
    parts = [format_html('<a class="name" data-open href="{}">{}</a>', row["address"], row["task"])]
    if row["is_test"]:
        parts.append(mark_safe('<span class="badge">Test</span>'))
    if row["version"]:
        parts.append(format_html(' <span class="dim version">{}</span>', row["version"][:12]))
    if row["children"]:
        parts.append(_children(row))
    if row["facts"]:
        html = '<span class="fact"><span class="dim">{}</span> {}</span>'
        drawn = format_html_join(" ", html, ((one.label, one.value) for one in row["facts"]))
        parts.append(format_html('<span class="sub">{}</span>', drawn))
    if row["trouble"]:
        parts.append(format_html('<span class="sub trouble">{}</span>', row["trouble"][:200]))
    return mark_safe("".join(parts))  # noqa: S308


def _children(row: Row) -> SafeString:
    """ "12 children: 11 ok 1 failed"."""
    counts: Counter[str] = row["children"]
    count = counts.total()
    bad = sum(counts[status] for status in UNSUCCESSFUL)
    going = sum(counts[status] for status in OPEN)
    words = [("ok", counts[RunStatus.COMPLETED], "ok"), ("failed", bad, "bad")]
    words += [("open", going, "active"), ("canceled", counts[RunStatus.CANCELED], "idle")]
    said = format_html_join(
        " ", '<b class="t-{}">{} {}</b>', ((tone, n, word) for word, n, tone in words if n)
    )
    html = '<a class="kids" href="{}?parent={}">{} {}: {}</a>'
    many = "child" if count == 1 else "children"
    return format_html(html, row["list_address"], row["id"], count, many, said)


def _run(row: Row) -> Drawn:
    html = '<a class="quiet" href="{}" title="{}" data-copy="{}">{}</a>'
    return format_html(html, row["address"], row["id"], row["id"], row["short"])


def _created(row: Row) -> Drawn:
    return trackside.moment(row["created_at"])


def _wait(row: Row) -> Drawn:
    return trackside.ticking(row["waits_since"], row["wait"])


def _duration(row: Row) -> Drawn:
    """With a line as long as it is of what is usual."""
    drawn = trackside.ticking(row["runs_since"], row["took"])
    usual, took = row["usual"], row["took"]
    if not usual or took is None:
        return drawn
    share = took.total_seconds() / usual
    html = (
        '<span class="dur" title="95 of 100 runs of this task take {} at most">{}'
        '<svg class="t-{}" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">'
        '<path d="M0 1H{}"/></svg></span>'
    )
    tone, width = ("warn", 100) if share > 1 else ("faint", max(2, round(share * 100)))
    return format_html(html, presenters.duration_text(usual), drawn, tone, width)


def _queue(row: Row) -> Drawn:
    return format_html('<a class="quiet" href="{}">{}</a>', row["queue_address"], row["queue"])


def _tags(row: Row) -> Drawn:
    html = '<a class="tag" href="{}?tag={}">{}</a> '
    tags = ((row["list_address"], quote(tag, safe=""), tag) for tag in row["tags"])
    drawn = format_html_join("", html, tags)
    if row["more_tags"]:
        return format_html('{}<span class="dim">+{}</span>', drawn, row["more_tags"])
    return drawn


LOOKS = {
    "status": Look("state", _status),
    "task": Look("wide", _task),
    "run": Look("mono", _run),
    "created": Look("", _created),
    "wait": Look("num", _wait),
    "duration": Look("num", _duration),
    "queue": Look("clip", _queue),
    "tags": Look("clip", _tags),
}

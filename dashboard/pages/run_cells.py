"""The cells of the runs list, drawn by code: twenty of them in a hundred rows cost a template too long."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote

from dashboard import presenters
from dashboard.pages.columns import Column
from dashboard.templatetags import trackside
from runs.states import OPEN, UNSUCCESSFUL, RunStatus

Row = Mapping[str, Any]


class Look(NamedTuple):
    """How a column is drawn: class of its cells, and what is in them."""

    css: str
    draw: Callable[[Row], str]


def cells(row: Row, columns: tuple[Column, ...], values: dict[str, Any]) -> str:
    """All cells of a row between the box and the buttons."""
    return "".join(_cell(row, column, values) for column in columns)


def line(row: Row, *, may_act: bool, oob: bool) -> str:
    """The whole row; `oob` is one that takes the place of what the page has."""
    name, run_id, address = escape(row["short"]), escape(row["id"]), escape(row["address"])
    token = f' data-live-row="{row["token"]}"' if row["token"] else ""
    swap = ' hx-swap-oob="true" class="fresh"' if oob else ""
    facts = f'data-task="{escape(row["task"])}" data-queue="{escape(row["queue"])}"'
    box = f'<input type="checkbox" form="picked" name="run" value="{run_id}" aria-label="Select {name}">'
    return (
        f'<tr id="{run_id}" data-row {facts}{token}{swap}>'
        f'<td class="pick"><label>{box}</label></td>{row["cells"]}<td class="acts">'
        f'<a class="act" href="{address}/replay" data-row-act="replay" title="Replay"'
        f' aria-label="Replay {name}">{trackside.icon("replay")}</a>{_cancel(row, name, may_act)}'
        '<button type="button" class="act js" data-row-menu data-row-act="more" aria-haspopup="menu"'
        f' title="More" aria-label="More for {name}">⋯</button></td></tr>\n'
    )


def _cancel(row: Row, name: str, may_act: bool) -> str:
    """At once where it has not started, else by the page that asks how."""
    if not row["can_cancel"]:
        return ""
    address, sign = f"{escape(row['address'])}/cancel", trackside.icon("canceled")
    said = f'data-row-act="cancel" title="Cancel" aria-label="Cancel {name}">{sign}'
    if row["is_pending"] and may_act:
        return f'<button type="submit" form="row-act" formaction="{address}" class="act" {said}</button>'
    return f'<a class="act" href="{address}" {said}</a>'


def _cell(row: Row, column: Column, values: dict[str, Any]) -> str:
    heading = escape(column.heading)
    if look := LOOKS.get(column.name):
        return f'<td data-label="{heading}" class="{look.css}">{look.draw(row)}</td>'
    value = values[column.name]
    if isinstance(value, datetime):
        return (
            f'<td data-label="{heading}" class="clip added" title="">{trackside.moment(value)}</td>'
        )
    text = escape(str(value))
    return f'<td data-label="{heading}" class="clip added" title="{text}">{text}</td>'


def _status(row: Row) -> str:
    drawn = trackside.status(row["look"])
    tries, most = row["tries"], row["max_tries"]
    if tries < 2:
        return drawn
    return f'{drawn} <span class="dim" title="Attempt {tries} of {most}">{tries}/{most}</span>'


def _task(row: Row) -> str:
    parts = [f'<a class="name" data-open href="{escape(row["address"])}">{escape(row["task"])}</a>']
    if row["is_test"]:
        parts.append('<span class="badge">Test</span>')
    if row["version"]:
        parts.append(f' <span class="dim version">{escape(row["version"][:12])}</span>')
    if row["children"]:
        parts.append(_children(row))
    if row["facts"]:
        drawn = (
            f'<span class="fact"><span class="dim">{escape(one.label)}</span> {escape(one.value)}</span>'
            for one in row["facts"]
        )
        parts.append(f'<span class="sub">{" ".join(drawn)}</span>')
    if row["trouble"]:
        parts.append(f'<span class="sub trouble">{escape(row["trouble"][:200])}</span>')
    return "".join(parts)


def _children(row: Row) -> str:
    """ "12 children: 11 ok 1 failed"."""
    counts: Counter[str] = row["children"]
    count = counts.total()
    bad = sum(counts[status] for status in UNSUCCESSFUL)
    going = sum(counts[status] for status in OPEN)
    words = [("ok", counts[RunStatus.COMPLETED], "ok"), ("failed", bad, "bad")]
    words += [("open", going, "active"), ("canceled", counts[RunStatus.CANCELED], "idle")]
    said = " ".join(f'<b class="t-{tone}">{n} {word}</b>' for word, n, tone in words if n)
    many = "child" if count == 1 else "children"
    address = f"{escape(row['list_address'])}?parent={escape(row['id'])}"
    return f'<a class="kids" href="{address}">{count} {many}: {said}</a>'


def _run(row: Row) -> str:
    name, short, address = escape(row["id"]), escape(row["short"]), escape(row["address"])
    return f'<a class="quiet" href="{address}" title="{name}" data-copy>{short}</a>'


def _created(row: Row) -> str:
    return trackside.moment(row["created_at"])


def _wait(row: Row) -> str:
    return _ticking(row["waits_since"], row["wait"])


def _ticking(since: datetime | None, shown: timedelta | None) -> str:
    """As the tag of templates; "<1 ms" is among the words."""
    words = escape(presenters.duration_text(shown))
    return (
        words
        if since is None
        else f'<span data-since="{since.isoformat(timespec="milliseconds")}">{words}</span>'
    )


def _duration(row: Row) -> str:
    """With a line as long as it is of what is usual."""
    drawn = _ticking(row["runs_since"], row["took"])
    usual, took = row["usual"], row["took"]
    if not usual or took is None:
        return drawn
    share = took.total_seconds() / usual
    tone, width = ("warn", 100) if share > 1 else ("faint", max(2, round(share * 100)))
    most = escape(presenters.duration_text(usual))
    return (
        f'<span class="dur" title="95 of 100 runs of this task take {most} at most">{drawn}'
        f'<svg class="t-{tone}" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="M0 1H{width}"/></svg></span>'
    )


def _queue(row: Row) -> str:
    return f'<a class="quiet" href="{escape(row["queue_address"])}">{escape(row["queue"])}</a>'


def _tags(row: Row) -> str:
    address = escape(row["list_address"])
    drawn = "".join(
        f'<a class="tag" href="{address}?tag={quote(tag, safe="")}">{escape(tag)}</a> '
        for tag in row["tags"]
    )
    return drawn + (f'<span class="dim">+{row["more_tags"]}</span>' if row["more_tags"] else "")


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

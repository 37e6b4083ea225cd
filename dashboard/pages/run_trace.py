"""The Trace tab: every row has its bar, its words and its numbers, so the chart is a table too."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString

from dashboard import presenters, sight
from dashboard.pages import trace_rows
from dashboard.templatetags.trackside import icon, ticking
from runs.models import Run
from runs.reads import trace, trace_nodes
from runs.reads.trace_nodes import Node

#: Units of a bar's row, and the least that is still seen.
WIDTH, LEAST = 1000, 3
#: Deeper ones are drawn here.
DEEPEST = 12
#: Of more rows than these the page does not refresh itself.
LIVE = 1000
MAX_SEARCH = 200
ICON = "trackside.icon"

#: Word, tone and glyph of a row's state.
STATES = {
    trace_nodes.OPEN: ("Running", "active", "executing"),
    trace_nodes.OK: ("", "ok", "completed"),
    trace_nodes.ERROR: ("Failed", "bad", "failed"),
    trace_nodes.CANCELED: ("Canceled", "idle", "canceled"),
    trace_nodes.CUT: ("Cut off", "warn", "crashed"),
    trace_nodes.WAITING: ("Waiting", "parked", "waiting"),
}
KINDS = {
    "run": ("Run", "runs"),
    "queue": ("Queue", "queues"),
    "attempt": ("Attempt", "executing"),
    "step": ("Step", "tick"),
    "wait": ("Wait", "delayed"),
    "child": ("Child run", "tasks"),
    "token": ("Wait token", "user"),
    "user": ("Span", "span"),
    "hook": ("Hook", "hook"),
    "http": ("HTTP request", "http"),
    "try": ("Try", "replay"),
    "dropped": ("Dropped", "stop"),
}


class Row(NamedTuple):
    """One row of the tree on screen. There may be a thousand, which templates take too long for."""

    tone: str
    html: SafeString


def context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the tab's template shows."""
    now = timezone.now()
    after = number(request.GET.get("after", ""))
    found = trace.of(run, now, after)
    focus = request.GET.get("span", "")
    for node in found.rows:
        sight.veil(node)
    nodes = found.below(focus) if focus else found.rows
    focused = nodes[0] if nodes is not found.rows else None
    failed = request.GET.get("only") == "failed"
    search = request.GET.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH]
    chart = Chart(nodes, now)
    rows = chart.rows
    return {
        "rows": [
            row.html
            for node, row in zip(nodes, rows, strict=True)
            if (not failed or row.tone in ("bad", "warn")) and has_text(node, search)
        ],
        "search": search,
        "only": "failed" if failed else "",
        "failures": sum(row.tone in ("bad", "warn") for row in rows),
        "focused": focused,
        "ticks": chart.ticks,
        "trace": found,
        "after": after,
        "live_query": carried(focus, failed, after, search),
        "is_still": len(nodes) > LIVE,
        "shown": len(nodes),
    }


def has_text(node: Node, search: str) -> bool:
    """Whether its name, its error or what it noted says so; upper and lower case are the same."""
    wanted = search.lower()
    return any(wanted in text.lower() for text in (node.name, node.error, node.attributes))


def carried(focus: str, failed: bool, after: int, search: str) -> str:
    """The query of this very view, for its live refresh."""
    asked = {"span": focus, "only": "failed" if failed else "", "after": after or "", "q": search}
    return urlencode({name: value for name, value in asked.items() if value})


def number(text: str) -> int:
    """A row's number from an address."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


class Chart:
    """Rows over one stretch of time."""

    def __init__(self, nodes: list[Node], now: datetime) -> None:
        self.now, self.origin = now, min(node.started_at for node in nodes)
        end = max(node.ended_at or now for node in nodes)
        self.length = max(end - self.origin, timedelta(microseconds=1))
        self.above = nodes[0].depth
        self.rows = [self.row(node) for node in nodes]

    def row(self, node: Node) -> Row:
        word, tone, glyph = STATES[node.state]
        tone = "idle" if node.kind == "queue" else tone
        kind, own_glyph = KINDS.get(node.kind, KINDS["user"])
        facts, events = node.told if node.attributes else ({}, [])
        offset = node.started_at - self.origin
        took = max((node.ended_at or self.now) - node.started_at, timedelta())
        sign = signed(own_glyph if node.state == trace_nodes.OK else glyph, kind, facts)
        return Row(
            tone,
            trace_rows.drawn(
                node,
                classes=self.classes(node, tone),
                title=trace_rows.titled(node, sign, word),
                noted=trace_rows.noted(node, facts, events),
                lane=self.lane(node),
                after=f"+{presenters.duration_text(offset)}" if offset > timedelta() else "",
                took=ticking(node.started_at if node.is_open else None, took),
            ),
        )

    def classes(self, node: Node, tone: str) -> str:
        """Kinds and tones are our own words."""
        depth = min(node.depth - self.above, DEEPEST)
        goes_on = " goes-on" if node.is_open else ""
        return f"t-{tone} d{depth} k-{node.kind}{goes_on}"

    def lane(self, node: Node) -> str:
        """The bar, for eyes alone: the numbers stand beside it."""
        x, width = self.bar(node)
        return (
            '<svg viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect x="{x}" y="3" width="{width}" height="10"/></svg>'
        )

    def bar(self, node: Node) -> tuple[int, int]:
        """Where it begins, and how wide it is."""
        x = int((node.started_at - self.origin) / self.length * WIDTH)
        end = int(((node.ended_at or self.now) - self.origin) / self.length * WIDTH)
        width = max(end - x, LEAST)
        return min(max(x, 0), WIDTH - LEAST), min(width, WIDTH)

    @property
    def ticks(self) -> list[str]:
        return [presenters.duration_text(self.length * part / 4) for part in range(5)]


def signed(glyph: str, kind: str, facts: dict[str, Any]) -> SafeString:
    """The kind as a glyph and as a word for ears, and the author's own icon."""
    own = facts.pop(ICON, "")
    sign = f'<span aria-hidden="true">{escape(own)} </span>' if own else ""
    return SafeString(f'{icon(glyph)}<span class="hidden-text">{kind}: </span>{sign}')

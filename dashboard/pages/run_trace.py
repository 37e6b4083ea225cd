"""The Trace tab: a tree with its timeline, and one span looked at closely."""

import json
import math
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from dashboard import veiled
from dashboard.pages import timescale, trace_lanes, trace_rows, trace_span
from dashboard.pages.timescale import Scale
from dashboard.pages.trace_lanes import Lanes
from dashboard.pages.trace_query import TraceQuery
from runs.models import Run
from runs.reads import trace_times
from runs.reads.trace import Trace
from runs.reads.trace_nodes import Node
from runs.reads.trace_times import Times

#: Of more rows than these the page does not refresh itself.
LIVE = 1000
#: From so many rows on there is a small overview above them.
MANY = 60


def context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the tab's template shows."""
    now, asked = timezone.now(), TraceQuery.parse(request.GET)
    found = veiled.trace(run, now, asked.after)
    times = trace_times.of(found.rows, now)
    nodes = found.below(asked.within) if asked.within else found.rows
    within = nodes[0] if nodes is not found.rows else None
    nodes = drawn(nodes, asked)
    scale = scale_of(nodes, times, asked, now)
    rows = [node for node in nodes if overlaps(node, scale, now)] if asked.is_zoomed else nodes
    shown = filtered(rows, asked)
    picked = found.find(asked.span) or found.root
    link = asked.address(span="").replace("&", "&amp;") + "&amp;span="
    return {
        "asked": asked,
        "trace": found,
        "tree": trace_rows.tree(shown, Lanes(scale, times, now), link, picked.id),
        "scale": scale,
        "gaps": [(timescale.percent((one.left + one.right) / 2), one) for one in scale.idle],
        "bands": [(timescale.percent(one.left), f"{timescale.NARROW}%") for one in scale.idle],
        "chart": told(scale),
        **(minimap(nodes, times, asked, now) if len(nodes) > MANY else {}),
        "failures": sum(map(trace_rows.is_bad, nodes)),
        "shown": len(shown),
        "rows_in_all": len(nodes),
        "within": within,
        "has_queue_time": has_queue_time(found, times),
        "carried": list(asked.pairs().items()),
        "live_query": asked.query(span=""),
        "is_still": len(nodes) > LIVE,
        **links(asked),
        **trace_span.context(run, picked, found, times, asked, now),
    }


def links(asked: TraceQuery) -> dict[str, str]:
    """Ways to the same tab with one thing different."""
    return {
        "whole": asked.address(since=None, until=None),
        "all_rows": asked.address(only_failed=False, search=""),
        "failed_rows": asked.address(only_failed=not asked.only_failed),
        "queue_toggle": asked.address(queue_time=not asked.queue_time, since=None, until=None),
        "gap_toggle": asked.address(all_gaps=not asked.all_gaps),
        "all_within": asked.address(within=""),
    }


def has_queue_time(found: Trace, times: Times) -> bool:
    """Whether there is something to leave out before the first start."""
    begun = found.root.begun_at
    return begun is not None and begun > found.root.started_at and bool(times.queued)


def drawn(nodes: list[Node], asked: TraceQuery) -> list[Node]:
    """Without the time in the queue once that is over, unless it is asked for."""
    if asked.queue_time:
        return nodes
    return [node for node in nodes if node.kind != "queue" or node.is_open] or nodes


def scale_of(nodes: list[Node], times: Times, asked: TraceQuery, now: datetime) -> Scale:
    """Of the whole time, or of the part that is asked for."""
    start, end = bounds(nodes, asked, now)
    idle = [] if asked.all_gaps else times.idle
    if asked.since is not None:
        start, zero = start + timedelta(seconds=asked.since), start
    else:
        zero = start
    if asked.until is not None:
        end = zero + timedelta(seconds=asked.until)
    return timescale.scale(start, max(end, start), idle, zero)


def bounds(nodes: list[Node], asked: TraceQuery, now: datetime) -> tuple[datetime, datetime]:
    """From the first start, or from the very beginning, to the last end."""
    root = nodes[0]
    start = min(node.started_at for node in nodes)
    if not asked.queue_time and root.kind == "run" and root.begun_at is not None:
        rest = [node.started_at for node in nodes[1:] if node.kind != "queue"]
        start = min([root.begun_at, *rest])
    ends = [node.ended_at or now for node in nodes]
    ends += [node.rests_until for node in nodes if node.rests_until is not None]
    return start, max(ends)


def overlaps(node: Node, scale: Scale, now: datetime) -> bool:
    """Whether some of it lies in the stretch that is drawn."""
    start, end = trace_times.span(node, now)
    return end >= scale.start and start <= scale.end


def filtered(nodes: list[Node], asked: TraceQuery) -> list[Node]:
    """What is asked for, each with what it is in."""
    if not asked.is_filtered:
        return nodes
    return trace_rows.kept(
        nodes,
        lambda node: (
            (not asked.only_failed or trace_rows.is_bad(node)) and has_text(node, asked.search)
        ),
    )


def has_text(node: Node, search: str) -> bool:
    """Whether its name, its error or what it noted says so; upper and lower case are the same."""
    wanted = search.lower()
    return any(wanted in text.lower() for text in (node.name, node.error, node.attributes))


def told(scale: Scale) -> str:
    """The scale as the script reads it: it says which moment the pointer is at."""
    facts = {
        "origin": scale.origin.isoformat(),
        "zone": timezone.get_current_timezone_name(),
        "stretches": [(one.left, one.right, one.start, one.end) for one in scale.stretches],
    }
    return json.dumps(facts)


def minimap(nodes: list[Node], times: Times, asked: TraceQuery, now: datetime) -> dict[str, Any]:
    """The whole time in one strip, and the part of it that is shown below."""
    start, end = bounds(nodes, asked, now)
    whole = timescale.scale(start, end, times.idle)
    found: dict[str, Any] = {"minimap": trace_lanes.overview(nodes, whole, now)}
    if asked.is_zoomed:
        left = whole.at(start + timedelta(seconds=asked.since or 0.0))
        right = 100.0 if asked.until is None else whole.at(start + timedelta(seconds=asked.until))
        found["window"] = timescale.percent(left), timescale.percent(right - left)
    return found


def pace(run: Run, now: datetime) -> int:
    """Grows by one whenever the chart of an open run has become five per cent longer."""
    seconds = max((now - (run.started_at or run.created_at)).total_seconds(), 1.0)
    return 0 if run.is_final else int(math.log(seconds, 1.05))

"""One span looked at closely: what it is, what it noted, what happened in it, where to go from there."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from dashboard import veiled
from dashboard.pages import trace_rows
from dashboard.pages.page import page
from dashboard.pages.run_finding import find
from dashboard.pages.timescale import percent
from dashboard.pages.trace_query import TraceQuery
from runs.models import Run
from runs.reads import attempts, intervals, trace_times
from runs.reads.trace import Trace
from runs.reads.trace_nodes import Node
from runs.reads.trace_times import Times

#: Attributes and events shown, and characters of a value.
ATTRIBUTES, EVENTS, VALUE = 256, 100, 4000


@page()
def inspector(request: HttpRequest, run_id: str) -> HttpResponse:
    """What the script puts beside the tree when a row is chosen."""
    run, asked = find(run_id, **attempts.columns()), TraceQuery.parse(request.GET)
    now = timezone.now()
    found = veiled.trace(run, now, asked.after)
    picked = found.find(asked.span)
    if picked is None:
        raise Http404("There is no such span in this run.")
    told = context(run, picked, found, trace_times.of(found.rows, now), asked, now)
    return render(request, "dashboard/run/_inspector.html", {"run": run} | told)


def context(
    run: Run, node: Node, found: Trace, times: Times, asked: TraceQuery, now: datetime
) -> dict[str, Any]:
    """What the inspector's template shows."""
    attributes, events = node.told if node.attributes else ({}, [])
    attributes.pop(trace_rows.ICON, None)
    start, end = trace_times.span(node, now)
    return {
        "span": node,
        "span_look": trace_rows.standing(node),
        "span_kind": trace_rows.KINDS.get(node.kind, trace_rows.KINDS["user"])[0],
        "span_took": end - start,
        "span_after": max(start - found.root.started_at, timedelta()),
        "span_target": trace_rows.target(node),
        "trace_id": found.trace_id,
        "span_alone": asked.address(within=node.id),
        "span_count": len(found.below(node.id)) - 1,
        "attributes": [(name, text_of(value)) for name, value in attributes.items()][:ATTRIBUTES],
        "span_events": [
            (one, max(one.at - node.started_at, timedelta()), facts_of(one.attributes))
            for one in events[:EVENTS]
        ],
        "split": split(times) if node.kind == "run" and node.id == run.pk else None,
    }


def split(times: Times) -> dict[str, Any]:
    """Where a run's time went: (word, tone, how long), and the same as one bar."""
    parts = [
        ("In the queue", "idle", intervals.length(times.queued)),
        ("Executing", "active", intervals.length(times.executing)),
        ("Waiting", "parked", intervals.length(times.waiting)),
        ("Between attempts", "warn", intervals.length(times.resting)),
    ]
    some = [part for part in parts if part[2] > timedelta()]
    whole = sum((part[2] for part in some), timedelta())
    bar, left = [], 0.0
    for _, tone, took in some:
        width = took / whole * 100
        bar.append((tone, percent(left), percent(width)))
        left += width
    return {"parts": [(*part, part[2] / whole) for part in some], "bar": bar}


def facts_of(attributes: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {text_of(value)}" for name, value in attributes.items())


def text_of(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE else f"{text[:VALUE]}…"

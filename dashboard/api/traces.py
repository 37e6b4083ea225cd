"""The trace of a run: as a tree, and as a flat list, in the reference's shapes (features.md LG-8)."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from dashboard import veiled
from dashboard.api import access, runs, telling
from dashboard.api.endpoint import ApiRequest, endpoint
from runs.models import Run
from runs.reads import trace_nodes
from runs.reads.trace import Trace
from runs.reads.trace_nodes import Node

#: Levels of an answer: spans nest as deep as code does, readers of JSON do not.
DEEPEST = 100
LEVELS = {trace_nodes.ERROR: "ERROR", trace_nodes.CUT: "ERROR", trace_nodes.CANCELED: "WARN"}


@endpoint("GET", answers=telling.Trace, tasks=access.task_of_run)
def trace(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """Attempts, steps, waits, child runs and spans, each in what it is part of."""
    run, now = runs.found(run_id), timezone.now()
    found = veiled.trace(run, now)
    return {"trace": {"traceId": found.trace_id, "rootSpan": nested(found, run, now)}} | left(found)


@endpoint("GET", answers=telling.TraceEvents, tasks=access.task_of_run)
def events(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """The same in one list, each before what is in it."""
    run, now = runs.found(run_id), timezone.now()
    found = veiled.trace(run, now)
    return {"events": [flat(node, run, now) for node in found.rows]} | left(found)


def left(found: Trace) -> dict[str, Any]:
    """Whether there is more than is told."""
    return {"isPartial": found.has_more or found.is_partial}


def nested(found: Trace, run: Run, now: datetime) -> dict[str, Any]:
    """The root with its children; what is deeper than DEEPEST stands beside what it is in."""
    above: list[dict[str, Any]] = []
    for node in found.rows:
        made = spanned(node, run, now)
        del above[min(node.depth, DEEPEST) :]
        if above:
            above[-1]["children"].append(made)
        above.append(made)
    return above[0]


def spanned(node: Node, run: Run, now: datetime) -> dict[str, Any]:
    return {
        "id": node.id,
        "parentId": node.parent_id or None,
        "runId": node.target if node.target.startswith("run_") else run.pk,
        "data": {
            "message": node.name,
            "taskSlug": run.task_id,
            "kind": node.kind,
            "startTime": node.started_at.isoformat(),
            "properties": node.told[0],
            "events": events_of(node),
            "queueName": run.queue,
            "machinePreset": run.machine,
            **states(node, now),
        },
        "children": [],
    }


def flat(node: Node, run: Run, now: datetime) -> dict[str, Any]:
    return {
        "spanId": node.id,
        "parentId": node.parent_id or None,
        "runId": run.pk,
        "message": node.name,
        "startTime": str(nanoseconds(node.started_at)),
        "kind": "CLIENT" if node.kind == "http" else "INTERNAL",
        "attemptNumber": node.attempt or None,
        "taskSlug": run.task_id,
        "events": events_of(node),
        "properties": node.told[0],
        "style": {"icon": node.kind, "variant": "PRIMARY" if node.kind == "run" else None},
        **states(node, now),
    }


def states(node: Node, now: datetime) -> dict[str, Any]:
    took = (node.ended_at or now) - node.started_at
    return {
        "duration": max(took // timedelta(microseconds=1), 0) * 1000,
        "isPartial": node.is_open,
        "isError": node.state in (trace_nodes.ERROR, trace_nodes.CUT),
        "isCancelled": node.state == trace_nodes.CANCELED,
        "level": LEVELS.get(node.state, "TRACE"),
    }


def events_of(node: Node) -> list[dict[str, Any]]:
    """What happened in it, and last what it failed with."""
    found = [
        {"name": one.name, "time": one.at.isoformat(), "properties": one.attributes}
        for one in node.told[1]
    ]
    if node.error:
        time = (node.ended_at or node.started_at).isoformat()
        failed = {"exception": {"message": node.error}}
        found.append({"name": "exception", "time": time, "properties": failed})
    return found


def nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000

"""What a line of the log says of the run it is about."""

import sys
from typing import Any

from engine.sdk import opentelemetry
from engine.sdk.context import current


def facts() -> dict[str, Any]:
    """Run, task, attempt and trace of the body that logs, and which worker it is in."""
    ctx = current()
    found: dict[str, Any]
    if ctx is None:
        place = opentelemetry.current()
        found = {"trace_id": place.trace_id} if place else {}
    else:
        found = {
            "run_id": ctx.run.id,
            "task_id": ctx.task.id,
            "attempt": ctx.attempt.number,
            "trace_id": ctx.traceparent.split("-")[1],
        }
    return {**found, **_worker()}


def _worker() -> dict[str, Any]:
    """Only a process that executes bodies has a place."""
    here = getattr(sys.modules.get("engine.cluster.place"), "_place", None)
    return {"worker": f"{here.board.name}/{here.index}"} if here is not None else {}

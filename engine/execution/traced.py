"""The span of an attempt itself. Its row says it all, so it is told only to be exported."""

import json
import time

from engine.execution.assignment import Assignment
from engine.execution.outcomes import Canceled, Failed, Interrupted, Outcome, Succeeded
from engine.sdk.attributes import flattened
from engine.sdk.context import Context
from engine.sdk.spanrecords import CANCELED, ERROR, OK, Record, said


def tell(assignment: Assignment, ctx: Context, outcome: Outcome) -> None:
    """Tell of an attempt that ended here; one that waits has not."""
    ended = ending_of(outcome)
    if ended is None:
        return
    tracer = ctx._tracer
    tracer.tell(
        Record(
            attempt=tracer.attempt,
            span_id=tracer.root_id,
            parent_id=tracer.caller.span_id,
            kind="attempt",
            name=assignment.task_id,
            status=ended[0],
            started=int(ctx.attempt.started_at.timestamp() * 1_000_000_000),
            ended=time.time_ns(),
            error=ended[1],
            attributes=facts(assignment),
            is_stored=False,
            is_older=assignment.resumed,
            trace_id=tracer.caller.trace_id,
            flags=tracer.caller.flags,
            state=tracer.caller.state,
        )
    )


def ending_of(outcome: Outcome) -> tuple[str, str] | None:
    """Status and error of an attempt's span."""
    match outcome:
        case Succeeded():
            return OK, ""
        case Failed(error=error):
            return ERROR, message(error)
        case Canceled():
            return CANCELED, "The run was canceled."
        case Interrupted(reason=reason):
            return CANCELED, reason
        case _:
            return None


def message(error: str) -> str:
    told = json.loads(error)
    return said(f"{told.get('name')}: {told.get('message')}")


def facts(assignment: Assignment) -> str:
    """What an exported attempt says of its run."""
    run = assignment
    known = {
        "trackside.run.id": run.run_id,
        "trackside.task.id": run.task_id,
        "trackside.attempt.number": run.attempt,
        "trackside.queue.name": run.queue,
        "trackside.machine": run.machine,
        "trackside.version": run.version,
        "trackside.parent.id": run.parent_id,
        "trackside.test": run.is_test or None,
    }
    return flattened({name: value for name, value in known.items() if value not in (None, "")})

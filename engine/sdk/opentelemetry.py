"""OpenTelemetry, where the process uses it: its spans nest in the run's, and the run's in theirs.

Only what somebody imported before is looked at: whoever does not use it pays nothing.
"""

import sys
from typing import Any

from runs.telemetry import API, CONTEXTS
from runs.telemetry import current as current
from runs.telemetry import is_in_use as is_in_use
from runs.tracing import TraceContext

STATES = "opentelemetry.trace.span"


def enter(place: TraceContext) -> Any:
    """Make a span of ours OpenTelemetry's current one; what `leave` takes."""
    trace, contexts, states = (sys.modules[name] for name in (API, CONTEXTS, STATES))
    found = trace.SpanContext(
        trace_id=int(place.trace_id, 16),
        span_id=int(place.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(place.flags),
        trace_state=states.TraceState.from_header([place.state] if place.state else []),
    )
    return contexts.attach(trace.set_span_in_context(trace.NonRecordingSpan(found)))


def leave(token: Any) -> None:
    if token is not None:
        sys.modules[CONTEXTS].detach(token)

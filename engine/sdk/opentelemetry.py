"""OpenTelemetry, where the process uses it: its spans nest in the run's, and the run's in theirs.

Only what somebody imported before is looked at: whoever does not use it pays nothing.
"""

import sys
from typing import Any

from runs.tracing import TraceContext, checked_state

API, CONTEXTS, STATES = (
    "opentelemetry.trace",
    "opentelemetry.context",
    "opentelemetry.trace.span",
)


def is_in_use() -> bool:
    """Whether this process has imported OpenTelemetry's API."""
    return API in sys.modules and CONTEXTS in sys.modules


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


def current() -> TraceContext | None:
    """Where OpenTelemetry's current span is; None where it is not in use or there is none."""
    if not is_in_use():
        return None
    found = sys.modules[API].get_current_span().get_span_context()
    if not found.is_valid:
        return None
    return TraceContext(
        f"{found.trace_id:032x}",
        f"{found.span_id:016x}",
        int(found.trace_flags) & 1,
        checked_state(found.trace_state.to_header()),
    )

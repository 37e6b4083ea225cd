"""Trace contexts as callers send them (W3C Trace Context), and the ids of runs that nobody traced.

Ids are derived and not drawn: code that runs again after a wait finds the ids it had before.
"""

import hashlib
import os
import re
from functools import cache
from typing import NamedTuple

TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
#: Characters and members that a tracestate has at most.
STATE_CHARACTERS, STATE_MEMBERS = 512, 32
STATE = re.compile(r"[\x20-\x7e\t]*")
#: The last bit of the flags: whoever started the trace records it.
SAMPLED = 1
#: Where a span's events stand among its attributes: a list of [nanoseconds since 1970, name, attributes].
EVENTS = "trackside.events"
#: Its value says how many were left out.
LEFT_OUT_EVENTS = "trackside.dropped_events"


class TraceContext(NamedTuple):
    """A place in a trace: what runs, requests and spans below it are part of."""

    trace_id: str
    span_id: str
    flags: int = SAMPLED
    state: str = ""

    @property
    def header(self) -> str:
        """The value of a `traceparent` header."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def is_sampled(self) -> bool:
        return bool(self.flags & SAMPLED)

    @property
    def headers(self) -> dict[str, str]:
        """What a request says that it belongs here."""
        state = {"tracestate": self.state} if self.state else {}
        return {"traceparent": self.header, **state}


def parsed(traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
    """The place that two headers name; None for headers that name none, which start no error."""
    found = TRACEPARENT.fullmatch((traceparent or "").strip(" \t"))
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    unknown = version == "ff" or (version == "00" and rest is not None)
    if unknown or not int(trace_id, 16) or not int(span_id, 16):
        return None
    # what later versions say with other flags is unknown here, and so is not passed on
    return TraceContext(trace_id, span_id, int(flags, 16) & SAMPLED, checked_state(tracestate))


def checked_state(tracestate: str | None) -> str:
    """A tracestate as it came, or empty for one that no other party could read."""
    text = (tracestate or "").strip(" \t")
    members = [member.strip() for member in text.split(",") if member.strip()]
    readable = STATE.fullmatch(text) and all("=" in member for member in members)
    fits = len(text) <= STATE_CHARACTERS and len(members) <= STATE_MEMBERS
    return text if readable and fits else ""


def trace_id_of(run_id: str) -> str:
    """The trace of a run that was triggered without one."""
    return _digest("trace", run_id)[:32]


def attempt_span_id(run_id: str, attempt: int) -> str:
    """The span of an attempt, above all others in it."""
    return span_id(run_id, attempt)


def entry_span_id(run_id: str, attempt: int, kind: str, name: str, ordinal: int) -> str:
    """The span of a step or wait that the run's journal has under this key."""
    return span_id(run_id, attempt, kind, name, ordinal)


def span_id(*place: object) -> str:
    """An id that is the same for the same place."""
    return _digest("span", *place)[:16]


def context_of(run_id: str, traceparent: str | None, tracestate: str | None) -> TraceContext:
    """What the attempts of a run are below; without a caller the span id is empty."""
    caller = parsed(traceparent, tracestate)
    if caller is None:
        trace_id = trace_id_of(run_id)
        return TraceContext(trace_id, "", int(is_sampled(trace_id)))
    return caller


def is_sampled(trace_id: str) -> bool:
    """Whether a trace that begins here is recorded outside, as OTEL_TRACES_SAMPLER says."""
    name, share = sampler()
    if name.endswith("always_off"):
        return False
    return not name.endswith("traceidratio") or int(trace_id[16:], 16) < round(share * 2**64)


@cache
def sampler() -> tuple[str, float]:
    """The sampler of the environment and its share, as OpenTelemetry names them."""
    name = os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    try:
        share = float(os.environ.get("OTEL_TRACES_SAMPLER_ARG") or 1.0)
    except ValueError:
        share = 1.0
    return name, min(max(share, 0.0), 1.0)


def _digest(*parts: object) -> str:
    text = "\0".join(map(str, parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

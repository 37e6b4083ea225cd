"""Hands spans to OpenTelemetry's SDK. Imported where its packages are installed and wanted."""

import json
import logging
import threading
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from engine.sdk.spanrecords import CANCELED, ERROR, Record
from runs import tracing
from runs.release import release
from runs.telemetry import resource

log = logging.getLogger("trackside")

#: Seconds the last spans get when the cluster stops.
LAST = 2.0
KINDS = {"attempt": SpanKind.CONSUMER, "http": SpanKind.CLIENT}


class Ids(IdGenerator):
    """Hands out the ids that the spans have already."""

    trace_id = span_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class Otlp:
    """One provider over the environment: service name, resource, sampler, limits, endpoint, batches."""

    def __init__(self, processor: SpanProcessor | None = None) -> None:
        self.ids = Ids()
        # a provider that ends with the process would wait for a collector that is away
        self.provider = TracerProvider(
            resource=resource(), id_generator=self.ids, shutdown_on_exit=False
        )
        self.provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self.provider.get_tracer("trackside", release())

    def export(self, run_id: str, record: Record) -> None:
        """Queue one span."""
        self.ids.trace_id, self.ids.span_id = int(record.trace_id, 16), int(record.span_id, 16)
        attributes, events = told(record)
        span = self.tracer.start_span(
            record.name,
            context=parent_of(record),
            kind=KINDS.get(record.kind, SpanKind.INTERNAL),
            attributes={**attributes, "trackside.run.id": run_id},
            start_time=record.started,
        )
        for at, name, attributes in events:
            span.add_event(name, without_null(attributes), timestamp=at)
        if record.status == ERROR:
            span.set_status(Status(StatusCode.ERROR, record.error or None))
        elif record.status == CANCELED:
            span.set_attribute("trackside.canceled", True)
        span.end(end_time=record.ended)

    def close(self) -> None:
        """Send what is left, for a moment at most."""
        last = threading.Thread(target=self.provider.shutdown, daemon=True)
        last.start()
        last.join(LAST)
        if last.is_alive():
            log.warning("The collector did not answer in time; the last spans were not exported.")


def parent_of(record: Record) -> Context:
    """Where the span hangs; an empty context for the first of a trace."""
    if not record.parent_id:
        return Context()
    found = SpanContext(
        trace_id=int(record.trace_id, 16),
        span_id=int(record.parent_id, 16),
        is_remote=record.kind == "attempt",
        trace_flags=TraceFlags(record.flags),
        trace_state=TraceState.from_header([record.state] if record.state else []),
    )
    return set_span_in_context(NonRecordingSpan(found), Context())


def told(record: Record) -> tuple[dict[str, Any], list[Any]]:
    """Its attributes and its events."""
    found: dict[str, Any] = json.loads(record.attributes) if record.attributes else {}
    events = found.pop(tracing.EVENTS, [])
    more = {"trackside.kind": record.kind, "trackside.attempt.number": record.attempt}
    return without_null(found) | more, events


def without_null(attributes: dict[str, Any]) -> dict[str, Any]:
    """OpenTelemetry has no null."""
    return {name: value for name, value in attributes.items() if value is not None}

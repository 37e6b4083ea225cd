"""Code that uses OpenTelemetry itself: its spans and the run's are of one trace."""

import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from engine import span, task
from engine.sdk import opentelemetry
from runs import tracing
from tests.engine.support import Sink, carry_out

pytestmark = pytest.mark.once


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("tests")


def parents(exporter):
    """(trace id, parent's span id) of what was exported, by name."""
    return {
        one.name: (format_trace_id(one.context.trace_id), format_span_id(one.parent.span_id))
        for one in exporter.get_finished_spans()
    }


def test_its_spans_nest_in_the_attempt_and_in_ours(tracer, exporter):
    @task
    async def instrumented():
        with tracer.start_as_current_span("query"):
            pass
        with span("ours"), tracer.start_as_current_span("request"):
            pass

    sink = Sink()
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    carry_out(instrumented, sink=sink, traceparent=traceparent, tracestate="v=1")
    assert parents(exporter) == {
        "query": ("a" * 32, tracing.attempt_span_id("run_1", 1)),
        "request": ("a" * 32, sink.ended["ours"].span_id),
    }
    assert not trace.get_current_span().get_span_context().is_valid


def test_children_are_below_the_span_that_triggers_them(tracer, exporter, fake_runtime):
    @task
    def child(): ...

    @task
    def parent():
        with tracer.start_as_current_span("theirs"):
            child.trigger()

    carry_out(parent)
    theirs = exporter.get_finished_spans()[0].context
    sent = tracing.parsed(fake_runtime.last.options["traceparent"])
    assert sent.trace_id == tracing.trace_id_of("run_1")
    assert sent.span_id == format_span_id(theirs.span_id)


def test_whoever_triggers_from_outside_is_the_caller(tracer, fake_runtime):
    @task
    def child(): ...

    with tracer.start_as_current_span("view") as view:
        child.trigger()
    sent = fake_runtime.last.options["traceparent"]
    assert sent.split("-")[2] == format_span_id(view.get_span_context().span_id)
    child.trigger()
    assert "traceparent" not in fake_runtime.last.options


def test_a_process_without_it_pays_nothing(monkeypatch):
    monkeypatch.delitem(sys.modules, "opentelemetry.context")
    assert opentelemetry.current() is None

"""Requests and their statements as spans, by OpenTelemetry's own instrumentations."""

import json
from types import SimpleNamespace

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from dashboard.monitoring import traces
from engine import wakeup
from runs import telemetry
from runs.lifecycle import apikeys
from runs.models import Run

TRACE, CALLER = "a" * 32, "b" * 16


@pytest.fixture
def spans(monkeypatch):
    """What is exported while requests are traced."""
    monkeypatch.setattr(django_settings, "MIDDLEWARE", list(django_settings.MIDDLEWARE))
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(traces.of_requests(SimpleSpanProcessor)(exporter))
    traces.instrument(provider)
    yield exporter
    DjangoInstrumentor().uninstrument()
    PsycopgInstrumentor().uninstrument()


@pytest.mark.django_db
def test_a_run_is_below_the_request_that_is_below_its_caller(spans):
    _, key = apikeys.create("tests", actor="cli:tests")
    answer = Client().post(
        "/api/v1/tasks/hello/trigger?secret=1",
        json.dumps({}),
        content_type="application/json",
        headers={"authorization": f"Bearer {key}", "traceparent": f"00-{TRACE}-{CALLER}-01"},
    )
    assert answer.status_code == 200
    request = next(span for span in spans.get_finished_spans() if span.kind == SpanKind.SERVER)
    assert f"{request.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == CALLER
    run = Run.objects.get(pk=answer.json()["id"])
    assert run.traceparent == f"00-{TRACE}-{request.context.span_id:016x}-01"
    told = json.dumps({name: str(value) for name, value in request.attributes.items()})
    assert key not in told
    assert "secret" not in told


@pytest.mark.django_db
def test_probes_and_scrapes_are_no_spans(spans):
    Client(headers={"host": "10.0.0.1"}).get("/health/live")
    Client().get("/api/v1/metrics")
    assert not spans.get_finished_spans()


@pytest.mark.django_db
def test_statements_are_below_their_request_and_nobody_elses_are_told(spans):
    if connection.vendor != "postgresql":
        pytest.skip("about psycopg")
    link = wakeup.connect()
    link.execute("SELECT 1")
    assert not spans.get_finished_spans()
    tracer = PsycopgInstrumentor()  # its spans are below whatever is current
    assert tracer.is_instrumented_by_opentelemetry
    provider = TracerProvider(shutdown_on_exit=False)
    with provider.get_tracer("tests").start_as_current_span("request") as request:
        link.execute("SELECT %s::text", ["a secret"])
    link.close()
    (statement,) = spans.get_finished_spans()
    assert statement.parent.span_id == request.context.span_id
    assert "a secret" not in json.dumps({k: str(v) for k, v in statement.attributes.items()})


def test_addresses_lose_their_secrets():
    told = {}
    span = SimpleNamespace(
        attributes={
            "http.target": "/api/v1/waitpoints/tokens/t/callback/0123456789abcdef01?a=1",
            "url.query": "text=password",
            "http.method": "GET",
        },
        set_attribute=told.__setitem__,
    )
    traces.without_secrets(span, None)
    assert told == {
        "http.target": "/api/v1/waitpoints/tokens/t/callback/[redacted]",
        "url.query": "",
    }


def test_nothing_is_traced_unless_somebody_asks(monkeypatch, caplog):
    for name in ("OTEL_TRACES_EXPORTER", *telemetry.ENDPOINTS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(traces, "instrument", lambda provider: pytest.fail("nobody asked"))
    traces.begin()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setattr(telemetry, "find_spec", lambda name: None)
    traces.begin()
    assert "not installed" in caplog.text

"""Traces of requests and of the statements they make, by OpenTelemetry's own instrumentations.

Switched on by OpenTelemetry's environment variables, as the export of runs is (`engine.cluster.exporting`).
A run that a request triggers is below the request.
"""

import atexit
import logging
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.http import HttpRequest

from runs import logformat, telemetry

log = logging.getLogger("trackside")

INSTRUMENTATIONS = (
    "opentelemetry.instrumentation.django",
    "opentelemetry.instrumentation.asgi",
    "opentelemetry.instrumentation.psycopg",
)
#: Who asks for these asks every few seconds.
UNTOLD = "health/live,health/ready,api/v1/metrics"
#: Behind our own first two middlewares: probes come by any host name.
PLACE = 2
#: Seconds the last spans get when the process stops.
LAST = 2.0
#: Attributes with an address, in OpenTelemetry's old words and its new ones.
ADDRESSES = ("http.target", "http.url", "url.full", "url.path", "url.query")


def begin() -> None:
    """Trace this process, where the environment asks for it."""
    if not telemetry.is_wanted():
        return
    if problem := telemetry.why_not(*INSTRUMENTATIONS):
        log.warning("Requests are not traced. %s", problem)
        return
    try:
        provider = _provider()
        instrument(provider)
    except (
        Exception
    ) as error:  # a variable that cannot be right; requests are answered all the same
        log.error("Requests are not traced. OpenTelemetry says: %s", error)
        return
    import_module("opentelemetry.trace").set_tracer_provider(provider)
    atexit.register(_close, provider)


def instrument(provider: Any) -> None:
    """Before the handler is made: middleware is taken up there."""
    django, _, psycopg = (import_module(name) for name in INSTRUMENTATIONS)
    django.DjangoInstrumentor().instrument(
        tracer_provider=provider,
        excluded_urls=UNTOLD,
        request_hook=without_secrets,
        middleware_position=PLACE,
    )
    psycopg.PsycopgInstrumentor().instrument(tracer_provider=provider)


def without_secrets(span: Any, request: HttpRequest) -> None:
    """Addresses may carry tokens and what somebody searched for."""
    told: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    for name in ADDRESSES:
        if isinstance(told.get(name), str):
            address = told[name].partition("?")[0] if name != "url.query" else ""
            span.set_attribute(name, logformat.masked(address))


def of_requests(base: type[Any]) -> type[Any]:
    """A processor that leaves out statements nobody asked for: pools and hubs make them all the time."""

    class OfRequests(base):  # type: ignore[misc]
        def on_end(self, span: Any) -> None:
            scope = span.instrumentation_scope
            is_statement = scope is not None and scope.name == INSTRUMENTATIONS[2]
            if span.parent is not None or not is_statement:
                super().on_end(span)

    return OfRequests


def _provider() -> Any:
    """Over the environment: service name, resource, sampler, limits, endpoint, batches."""
    sdk, exports, sender = (
        import_module(name)
        for name in (
            "opentelemetry.sdk.trace",
            "opentelemetry.sdk.trace.export",
            f"{telemetry.SENDER}.trace_exporter",
        )
    )
    # a provider that ends with the process would wait for a collector that is away
    provider = sdk.TracerProvider(
        resource=telemetry.resource("trackside-web"), shutdown_on_exit=False
    )
    processor = of_requests(exports.BatchSpanProcessor)(sender.OTLPSpanExporter())
    provider.add_span_processor(processor)
    return provider


def _close(provider: Any) -> None:
    last = threading.Thread(target=provider.shutdown, daemon=True)
    last.start()
    last.join(LAST)

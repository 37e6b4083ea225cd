"""A collector that understands OTLP over HTTP, and a service that notes who calls it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@contextmanager
def collecting() -> Iterator["Collector"]:
    made = Collector()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


class Collector(ThreadingHTTPServer):
    """Receives OTLP over HTTP."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Receiver)
        self.requests, self.paths, self.callers = [], [], []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self):
        """By name."""
        return {
            span.name: span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }

    @property
    def service(self):
        (name,) = {
            one.value.string_value
            for request in self.requests
            for one in request.resource_spans[0].resource.attributes
            if one.key == "service.name"
        }
        return name


class Receiver(BaseHTTPRequestHandler):
    def do_GET(self):
        """Any other service that a body calls."""
        self.server.callers.append(self.headers.get("traceparent", ""))
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.paths.append(self.path)
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


def facts_of(span):
    kinds = {one.key: one.value.WhichOneof("value") for one in span.attributes}
    return {one.key: getattr(one.value, kinds[one.key]) for one in span.attributes}

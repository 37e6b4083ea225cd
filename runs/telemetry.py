"""OpenTelemetry: whether the environment asks for traces, who sends them, and where we are in one.

The packages are an extra of the installation; nothing here imports them where nobody asks for traces.
"""

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from runs.tracing import TraceContext, checked_state

SENDER = "opentelemetry.exporter.otlp.proto.http"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
API, CONTEXTS = "opentelemetry.trace", "opentelemetry.context"


def is_wanted() -> bool:
    """Whether the environment asks for an export of traces."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    names = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    asked = {name.strip() for name in names.split(",")} if names else {"otlp"}
    return "otlp" in asked and bool(names or any(os.environ.get(name) for name in ENDPOINTS))


def why_not(*more: str) -> str:
    """Why spans cannot be exported though somebody asked for it; empty when they can.

    `more` are packages that are needed too.
    """
    try:
        wanted = (SENDER, "opentelemetry.sdk", *more)
        there = all(find_spec(name) is not None for name in wanted)
    except ModuleNotFoundError:
        there = False
    if not there:
        return "OpenTelemetry is not installed: pip install “trackside[otel]”."
    protocol = next((os.environ[name] for name in PROTOCOLS if os.environ.get(name)), "")
    if protocol not in ("", "http/protobuf"):
        return f"The protocol is {protocol}; Trackside speaks http/protobuf."
    return ""


def resource(ours: str = "trackside") -> Any:
    """Who sends: what the environment says, else `ours`."""
    made: Any = import_module("opentelemetry.sdk.resources").Resource
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return made.create({} if named else {"service.name": ours})


def is_in_use() -> bool:
    """Whether this process has imported OpenTelemetry's API."""
    return API in sys.modules and CONTEXTS in sys.modules


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

"""The text Prometheus reads, made at most once in some seconds however many ask."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from django.db import DatabaseError, InterfaceError

from runs.reads.deadline import TooSlow, deadline

log = logging.getLogger("trackside")

#: Seconds a text is told again, and that one part of it may take.
REMEMBERED, PATIENCE = 5.0, 1.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """Whoever asks while the text is made waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made_at, self.made = -REMEMBERED, b""

    def text(self) -> bytes:
        with self.lock:
            if time.monotonic() - self.made_at >= REMEMBERED:
                self.made = _made()
                self.made_at = time.monotonic()
            return self.made

    def forget(self) -> None:
        """For tests."""
        self.made_at = -REMEMBERED


exposition = Exposition()


class Collector:
    """What prometheus-client asks for all families."""

    def __init__(self, families: Any) -> None:
        self.families = families

    def collect(self) -> Iterator[Any]:
        began, failed = time.perf_counter(), {}
        for part in self.families.PARTS:
            found = _read(part)
            failed[part.__name__] = found is None
            yield from found or ()
        yield self.families.by(
            "scrape_failed", "1 for a part that could not be read.", "part", failed.items()
        )
        took = time.perf_counter() - began
        yield self.families.gauge("scrape_seconds", "How long reading took.", took)


def _made() -> bytes:
    # only who asks for metrics pays for the library
    client: Any = import_module("prometheus_client")
    registry = client.CollectorRegistry(auto_describe=False)
    registry.register(Collector(import_module("dashboard.monitoring.families")))
    text: bytes = client.generate_latest(registry)
    return text


def _read(part: Callable[[], Iterable[Any]]) -> list[Any] | None:
    """A part that is slow or fails is left out; the others are told all the same."""
    try:
        with deadline(PATIENCE):
            return list(part())
    except (TooSlow, DatabaseError, InterfaceError) as error:
        log.warning("Metrics are without their %s: %s", part.__name__, str(error).split("\n")[0])
        return None

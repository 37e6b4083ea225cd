"""What a collector is told of runs whose whole cluster was lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from engine.cluster import exporting
from engine.cluster.spanbook import SpanBook, packed
from engine.sdk.spanrecords import Record
from runs import tracing
from runs.lifecycle import sessions
from runs.models import WorkerSession
from tests.support.factories import dequeued_run, executing_run, session

pytestmark = pytest.mark.django_db


class Collector:
    """Keeps what is exported."""

    def __init__(self):
        self.told = {}

    def export(self, run_id, record):
        self.told[record.name] = (run_id, record.status, record.error)

    def close(self):
        """There is nothing to close."""


@pytest.fixture
def collector(monkeypatch):
    made = Collector()
    monkeypatch.setattr(exporting, "open_exporter", lambda: exporting.Exporter(made))
    return made


def lose(by):
    WorkerSession.objects.filter(pk=by.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    sessions.reap()


def test_who_takes_a_run_back_tells_what_was_open_in_it(collector):
    one, book = executing_run(by := session()), SpanBook()
    span = Record(
        name="open",
        attempt=1,
        span_id=tracing.span_id("open"),
        parent_id=tracing.attempt_span_id(one.run_id, 1),
        kind="user",
        status="open",
        started=1_000_000_000,
        ended=None,
        trace_id=tracing.trace_id_of(one.run_id),
        flags=1,
    )
    book.take(packed(one.run_id, span))
    book.flush()
    lose(by)
    book.flush()
    assert collector.told["open"] == (one.run_id, "error", exporting.CUT_OFF)
    run_id, status, error = collector.told[one.run.task_id]
    assert (run_id, status) == (one.run_id, "error")
    assert "stopped answering" in error


def test_what_had_not_begun_has_nothing_to_tell(collector):
    dequeued_run(by := session())
    book = SpanBook()
    lose(by)
    book.flush()
    assert collector.told == {}

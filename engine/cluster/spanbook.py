"""Spans on their way from the workers to the database, and to a collector where one is set."""

import json
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from engine.cluster import exporting
from engine.sdk.spanrecords import OPEN, Record, dropped
from runs import signals, tracing
from runs.models import Span

log = logging.getLogger("trackside")

#: What a message with a span begins with; a log line's is a list.
SPAN = b"S"
#: Rows kept while the database is away; newer ones are counted and dropped.
MOST = 20_000
#: Rows in one insert.
BATCH = 500


def packed(run_id: str, record: Record) -> bytes:
    return SPAN + json.dumps([run_id, *record]).encode()


class SpanBook:
    """Spans that were received and are not stored yet, and how many were lost of which attempt.

    One that ends while its beginning is still here becomes one row.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[str, Record]] = {}
        self.lost: Counter[tuple[str, int]] = Counter()
        self.exporter = exporting.open_exporter()
        if self.exporter is not None:
            signals.run_lost.connect(self.lost_elsewhere)

    def take(self, message: bytes) -> None:
        run_id, *fields = json.loads(message[len(SPAN) :])
        record = Record(*fields)
        if record.is_stored:
            self.keep(run_id, record)
        if record.ended is not None and self.exporter is not None:
            self.exporter.take(run_id, record)

    def keep(self, run_id: str, record: Record) -> None:
        key = run_id, record.span_id
        if record.is_older and key in self.rows:  # it went on over a wait that was short
            before = self.rows[key][1]
            record = record._replace(started=min(before.started, record.started))
        if key in self.rows or len(self.rows) < MOST:
            self.rows[key] = run_id, record
        elif record.status != OPEN:
            self.lost[run_id, record.attempt] += 1

    def flush(self) -> None:
        """Store what is here, and say once what was lost while that was not possible."""
        while self.rows:
            some = list(self.rows)[:BATCH]
            Span.objects.bulk_create(row(*self.rows[key]) for key in some)
            for key in some:
                del self.rows[key]
        if self.lost:
            Span.objects.bulk_create(told(*whose, count) for whose, count in self.lost.items())
            self.lost.clear()
        if self.exporter is not None:
            self.exporter.flush()

    def died(self, run_id: str) -> None:
        """A worker died on a run; who exports would miss its attempt, and what was open in it."""
        if self.exporter is not None:
            self.exporter.died(run_id)

    def lost_elsewhere(self, run_id: str, **_: Any) -> None:
        """This process took the run back from a cluster that is gone, and nobody else exports for it."""
        self.died(run_id)

    def give_up(self) -> None:
        """The process ends."""
        if left := len(self.rows) + self.lost.total():
            log.error("%s spans were lost while the database was away.", left)
        if self.exporter is not None:
            self.exporter.close()


def told(run_id: str, attempt: int, count: int) -> Span:
    """The row that stands for those a run lost."""
    return row(run_id, dropped(attempt, tracing.attempt_span_id(run_id, attempt), count))


def row(run_id: str, record: Record) -> Span:
    return Span(
        run_id=run_id,
        attempt=record.attempt,
        span_id=record.span_id,
        parent_id=record.parent_id,
        kind=record.kind,
        name=record.name,
        status=record.status,
        error=record.error,
        attributes=record.attributes,
        started_at=moment(record.started),
        ended_at=None if record.ended is None else moment(record.ended),
        at=moment(record.ended or record.started),
    )


def moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1_000_000_000, UTC)

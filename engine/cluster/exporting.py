"""Spans for a collector, as OpenTelemetry's own environment variables ask for them.

The bookkeeper exports, which runs nobody else's code: it hands every span to a thread with a bounded
queue, so that a collector that is slow or away costs spans and nothing else.
"""

import json
import logging
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from engine.sdk.spanrecords import CANCELED, ERROR, OK, Record, said
from runs import tracing
from runs.models import Attempt, Event, EventKind, Run, Span
from runs.states import AttemptStatus
from runs.telemetry import is_wanted, why_not

log = logging.getLogger("trackside")

#: Spans that wait for the next flush; of more the oldest go.
MOST = 10_000
#: What a collector is told of a span whose process died.
CUT_OFF = "Its process ended before it did."
ENDINGS = {
    AttemptStatus.COMPLETED: OK,
    AttemptStatus.CANCELED: CANCELED,
    AttemptStatus.RELEASED: CANCELED,
}


@cache
def is_possible() -> bool:
    """Whether spans are exported."""
    return is_wanted() and not why_not()


def open_exporter() -> "Exporter | None":
    """What exports, where the environment asks for it."""
    if not is_wanted():
        return None
    problem = why_not()
    if problem:
        log.warning("Traces are not exported. %s", problem)
        return None
    try:
        return Exporter(import_module("engine.cluster.otlp").Otlp())
    except Exception as error:  # a variable that cannot be right; runs go on without an export
        log.error("Traces are not exported. OpenTelemetry says: %s", error)
        return None


class Exporter:
    """Completes what the workers told and hands it on."""

    def __init__(self, otlp: Any) -> None:
        self.otlp = otlp
        self.waiting: deque[tuple[str, Record]] = deque(maxlen=MOST)
        self.dead: list[str] = []

    def take(self, run_id: str, record: Record) -> None:
        if record.flags & tracing.SAMPLED and record.kind != "dropped":
            self.waiting.append((run_id, record))

    def died(self, run_id: str) -> None:
        self.dead.append(run_id)

    def flush(self) -> None:
        while self.dead:
            for record in list(lost_records(self.dead[0])):
                self.take(self.dead[0], record)
            self.dead.pop(0)
        while self.waiting:
            run_id, record = self.waiting[0]
            whole = since_beginning(run_id, record) if record.is_older else record
            self.waiting.popleft()
            try:
                self.otlp.export(run_id, whole)
            except Exception:
                log.exception("A span of run %s could not be exported.", run_id)

    def close(self) -> None:
        self.otlp.close()


def since_beginning(run_id: str, record: Record) -> Record:
    """The record of a span that goes on over waits, with the moment its first segment began it."""
    if record.kind == "attempt":
        events = Event.objects.filter(run_id=run_id, attempt=record.attempt, kind=EventKind.STARTED)
        began = events.order_by("id").values_list("at", flat=True).first()
    else:
        rows = Span.objects.filter(run_id=run_id, span_id=record.span_id).order_by("id")
        began = rows.values_list("started_at", flat=True).first()
    return record if began is None else record._replace(started=nanoseconds(began))


def lost_records(run_id: str) -> Iterator[Record]:
    """What nobody told the end of: spans that were open in a process that died, and their attempt."""
    attempt = lost_attempt(run_id)
    if attempt is None:
        return
    yield attempt
    rows = Span.objects.filter(run_id=run_id, attempt=attempt.attempt)
    ended = rows.exclude(ended_at=None).values("span_id")
    began = {row.span_id: row for row in rows.exclude(span_id__in=ended).order_by("-id")[:MOST]}
    for row in began.values():
        yield attempt._replace(
            span_id=row.span_id,
            parent_id=row.parent_id,
            kind=row.kind,
            name=row.name,
            status=ERROR,
            started=nanoseconds(row.started_at),
            ended=max(attempt.ended or 0, nanoseconds(row.started_at)),
            error=CUT_OFF,
            attributes=row.attributes,
            is_older=False,
        )


def lost_attempt(run_id: str) -> Record | None:
    """The attempt whose process died before it could tell."""
    attempt = Attempt.objects.filter(run_id=run_id).order_by("-number").first()
    run = Run.objects.filter(pk=run_id).only("task_id", "traceparent", "tracestate").first()
    if attempt is None or run is None or attempt.finished_at is None:
        return None
    caller = tracing.context_of(run_id, run.traceparent, run.tracestate)
    status = ENDINGS.get(AttemptStatus(attempt.status), ERROR)
    return Record(
        attempt=attempt.number,
        span_id=tracing.attempt_span_id(run_id, attempt.number),
        parent_id=caller.span_id,
        kind="attempt",
        name=run.task_id,
        status=status,
        started=nanoseconds(attempt.started_at),
        ended=nanoseconds(attempt.finished_at),
        error=said_of(attempt.error) if status == ERROR else "",
        attributes=json.dumps({"trackside.run.id": run_id, "trackside.task.id": run.task_id}),
        is_stored=False,
        is_older=True,
        trace_id=caller.trace_id,
        flags=caller.flags,
        state=caller.state,
    )


def said_of(error: str | None) -> str:
    told = json.loads(error or "{}")
    return said(f"{told.get('name')}: {told.get('message')}")


def nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000

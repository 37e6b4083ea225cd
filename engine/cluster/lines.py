"""Log lines on their way from the workers to the database."""

import json
import logging
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from engine.cluster import exporting
from engine.cluster.channels import Channel
from engine.cluster.spanbook import SPAN, SpanBook, packed
from engine.sdk import spans
from engine.sdk.spanrecords import Record
from runs.models import LogLine

log = logging.getLogger("trackside")

#: Lines kept while the database is away; newer ones are counted and dropped.
MOST = 20_000
#: Rows in one insert.
BATCH = 500


class LineBook:
    """Lines that were received and are not stored yet, and how many were lost of which attempt."""

    def __init__(self) -> None:
        self.rows: list[LogLine] = []
        self.lost: Counter[tuple[str, int]] = Counter()
        #: They come the same way.
        self.spans = SpanBook()

    def take(self, messages: list[bytes]) -> None:
        for message in messages:
            if message.startswith(SPAN):
                self.spans.take(message)
                continue
            fields = json.loads(message)
            if len(self.rows) < MOST:
                self.rows.append(row(fields))
            else:
                self.lost[fields[0], fields[1]] += 1

    def flush(self) -> None:
        """Store what is here, and after it, once, what was lost while that was not possible."""
        while self.rows:
            LogLine.objects.bulk_create(self.rows[:BATCH])
            del self.rows[:BATCH]
        if self.lost:
            LogLine.objects.bulk_create(told(*whose, count) for whose, count in self.lost.items())
            log.warning("%s", loss(self.lost.total()))
            self.lost.clear()
        self.spans.flush()

    def give_up(self) -> None:
        """The process ends: nobody will store what is still here."""
        if left := len(self.rows) + self.lost.total():
            log.error("%s", loss(left))
        self.spans.give_up()


def loss(count: int) -> str:
    return f"{count} log {'line was' if count == 1 else 'lines were'} lost while the database was away."


def told(run_id: str, attempt: int, count: int) -> LogLine:
    """The line that stands for those a run lost."""
    return row([run_id, attempt, logging.WARNING, "trackside", loss(count), time.time()])


def row(fields: list[Any]) -> LogLine:
    run_id, attempt, level, logger, message, at, *within = fields
    return LogLine(
        run_id=run_id,
        attempt=attempt,
        level=level,
        logger=logger[:128],
        message=message,
        span_id=within[0] if within else "",
        at=datetime.fromtimestamp(at, UTC),
    )


class LineSender:
    """The worker's end: every line, and every span, is one message; what finds no room is counted."""

    #: Seconds to wait for room for a line, or the end of a span.
    patience = 0.05

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        #: Whether spans that are rows already are wanted too.
        self.is_exporting = exporting.is_possible()
        self.run_id, self.attempt, self.dropped = "", 0, 0

    def begin(self, run_id: str, attempt: int) -> None:
        self.run_id, self.attempt, self.dropped = run_id, attempt, 0

    def write(self, level: int, logger: str, message: str, at: float) -> None:
        if not self.channel.send(self.packed(level, logger, message, at), self.patience):
            self.dropped += 1

    def end(self) -> None:
        """Say how many lines were lost, if any."""
        if self.dropped:
            text = (
                f"{self.dropped} log lines were dropped: they came faster than they could be kept."
            )
            self.channel.send(self.packed(30, "trackside", text, time.time()), 1.0)

    def packed(self, level: int, logger: str, message: str, at: float) -> bytes:
        span_id = spans.innermost_id()
        fields = [self.run_id, self.attempt, level, logger, message, at, span_id]
        return json.dumps(fields).encode()

    def span(self, record: Record) -> bool:
        """Send a record; nobody waits for room for one whose end will say the same."""
        return self.channel.send(packed(self.run_id, record), self.patience if record.ended else 0)


class Patient(LineSender):
    """One attempt's log lines. Whoever waits for room here keeps all runs waiting."""

    patience = 0.005

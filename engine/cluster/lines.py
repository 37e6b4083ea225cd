"""Log lines on their way from the workers to the database."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from engine.cluster.channels import Channel
from runs.models import LogLine

#: Lines kept while the database is away; newer ones are counted and dropped.
MOST = 20_000
#: Rows in one insert.
BATCH = 500


class LineBook:
    """Lines that were received and are not stored yet."""

    def __init__(self) -> None:
        self.rows: list[LogLine] = []
        self.dropped = 0

    def take(self, messages: list[bytes]) -> None:
        for message in messages:
            if len(self.rows) < MOST:
                self.rows.append(row(json.loads(message)))
            else:
                self.dropped += 1

    def flush(self) -> None:
        while self.rows:
            LogLine.objects.bulk_create(self.rows[:BATCH])
            del self.rows[:BATCH]
        self.dropped = 0


def row(fields: list[Any]) -> LogLine:
    run_id, attempt, level, logger, message, at = fields
    return LogLine(
        run_id=run_id,
        attempt=attempt,
        level=level,
        logger=logger[:128],
        message=message,
        at=datetime.fromtimestamp(at, UTC),
    )


class LineSender:
    """The worker's end: every line is one message; what finds no room is counted."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.run_id, self.attempt, self.dropped = "", 0, 0

    def begin(self, run_id: str, attempt: int) -> None:
        self.run_id, self.attempt, self.dropped = run_id, attempt, 0

    def write(self, level: int, logger: str, message: str, at: float) -> None:
        if not self.channel.send(self.packed(level, logger, message, at)):
            self.dropped += 1

    def end(self) -> None:
        """Say how many lines were lost, if any."""
        if self.dropped:
            text = (
                f"{self.dropped} log lines were dropped: they came faster than they could be kept."
            )
            self.channel.send(self.packed(30, "trackside", text, time.time()), 1.0)

    def packed(self, level: int, logger: str, message: str, at: float) -> bytes:
        return json.dumps([self.run_id, self.attempt, level, logger, message, at]).encode()

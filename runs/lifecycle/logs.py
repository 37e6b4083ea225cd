"""Where log lines are kept: on PostgreSQL one partition for each month, in an SQLite file one table."""

from datetime import datetime

from django.db import connection
from django.utils import timezone

from runs.models import LogLine

#: Months after this one that are made ahead.
AHEAD = 3
OPEN = """
SELECT count(*) FILTER (WHERE trackside_open_log_month(%s + n * interval '1 month'))
  FROM generate_series(0, %s) AS n
"""
DROP = "SELECT trackside_drop_log_months(%s)"
#: Lines removed in one transaction.
BATCH = 5000
#: Where PostgreSQL keeps lines of months without a partition.
REST = """
DELETE FROM runs_logline_rest WHERE id IN (SELECT id FROM runs_logline_rest WHERE at < %s LIMIT %s)
"""


def open_log_months() -> int:
    """Make the partitions of this month and the next ones. Returns how many were missing.

    Safe from any number of clusters at once. A line whose month has no partition is kept all the
    same and moves when it is made.
    """
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [timezone.now(), AHEAD])
        return int(cursor.fetchone()[0])


def drop_log_months(before: datetime) -> list[str]:
    """Drop the partitions whose month ended before a moment. Returns their names; none on SQLite."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(DROP, [before])
        return list(cursor.fetchone()[0] or ())


def prune_lines(before: datetime) -> int:
    """Remove some lines older than a moment that stand in no month's partition. Returns how many.

    In an SQLite file from the oldest id on, as ids follow time: an index on the time would cost every
    line that is written.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(REST, [before, BATCH])
            return int(cursor.rowcount)
    first = list(LogLine.objects.order_by("pk").values_list("pk", "at")[:BATCH])
    ids = [pk for pk, at in first if at < before]
    if not ids:
        return 0
    lines = LogLine.objects.filter(pk__lte=ids[-1], at__lt=before)
    return int(lines._raw_delete(lines.db))

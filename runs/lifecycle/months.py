"""Where log lines and spans are kept: on PostgreSQL one partition for each month, in an SQLite file one table."""

from datetime import datetime

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from runs.models import LogLine, Span

#: Months after this one that are made ahead.
AHEAD = 3
KEPT: tuple[type[Model], ...] = (LogLine, Span)
TABLES = [model._meta.db_table for model in KEPT]
OPEN = """
SELECT count(*) FILTER (WHERE trackside_open_month(kept, %s + n * interval '1 month'))
  FROM unnest(%s::text[]) AS kept, generate_series(0, %s) AS n
"""
DROP = "SELECT trackside_drop_months(kept, %s) FROM unnest(%s::text[]) AS kept"
#: Rows of a table removed in one transaction.
BATCH = 5000
#: Where PostgreSQL keeps rows of months without a partition.
REST = """
DELETE FROM {table}_rest WHERE id IN (SELECT id FROM {table}_rest WHERE at < %s LIMIT %s)
"""


def open_months() -> int:
    """Make the partitions of this month and the next ones. Returns how many were missing.

    Safe from any number of clusters at once. A row whose month has no partition is kept all the
    same and moves when it is made.
    """
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [timezone.now(), TABLES, AHEAD])
        return int(cursor.fetchone()[0])


def drop_months(before: datetime) -> list[str]:
    """Drop the partitions whose month ended before a moment. Returns their names; none on SQLite."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(DROP, [before, TABLES])
        return [name for (dropped,) in cursor.fetchall() for name in dropped]


def prune_lines(before: datetime) -> int:
    """Remove some rows older than a moment that stand in no month's partition. Returns how many.

    In an SQLite file from the oldest id on, as ids follow time: an index on the time would cost every
    line that is written.
    """
    return sum(_prune(model, before) for model in KEPT)


def _prune(model: type[Model], before: datetime) -> int:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(REST.format(table=model._meta.db_table), [before, BATCH])
            return int(cursor.rowcount)
    rows = model._default_manager.all()
    first = list(rows.order_by("pk").values_list("pk", "at")[:BATCH])
    ids = [pk for pk, at in first if at < before]
    if not ids:
        return 0
    old = rows.filter(pk__lte=ids[-1], at__lt=before)
    return int(old._raw_delete(old.db))

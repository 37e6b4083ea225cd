"""Where log lines and spans are kept: on PostgreSQL one partition for each month, in an SQLite file one table."""

from django.db import connection
from django.utils import timezone

#: Months after this one that are made ahead.
AHEAD = 3
TABLES = ("runs_logline", "runs_span")
OPEN = """
SELECT count(*) FILTER (WHERE trackside_open_month(kept, %s + n * interval '1 month'))
  FROM unnest(%s::text[]) AS kept, generate_series(0, %s) AS n
"""


def open_months() -> int:
    """Make the partitions of this month and the next ones. Returns how many were missing.

    Safe from any number of clusters at once. A row whose month has no partition is kept all the
    same and moves when it is made.
    """
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [timezone.now(), list(TABLES), AHEAD])
        return int(cursor.fetchone()[0])

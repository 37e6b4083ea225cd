"""What the clock brings next: delays, retries and waits that are due, and queues whose rate lets a run start.

A bucket that its rate has closed is looked at again when its time comes, by the clock of the database
that set it; and at once for a run that goes on after a wait, which no rate holds up.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from runs.lifecycle.store.statements import microseconds
from runs.models import NEVER

#: Buckets opened in one transaction.
BATCH = 500
NOW = {"postgresql": "(SELECT trackside_now())", "sqlite": "%(now)s"}
LOCK = {"postgresql": "FOR NO KEY UPDATE OF b SKIP LOCKED", "sqlite": ""}
#: Some runs that are back from a wait; any more come when their bucket opens. "resumed" twice: see
#: `store.statements.OPEN_BUCKET`.
BACK = """
SELECT bucket_id FROM runs_ready WHERE not_before IS NULL AND resumed AND resumed = {true}
 LIMIT 1000
"""
#: An array leads PostgreSQL to the index, whatever it knows of the table.
CHOSEN = "(SELECT id FROM due UNION ALL SELECT id FROM back)"
AMONG = {"postgresql": f"= ANY (ARRAY{CHOSEN})", "sqlite": f"IN {CHOSEN}"}
TRUE = {"postgresql": "true", "sqlite": "1"}
#: What every idle dispatcher asks, so it is put together by hand.
LOOK = """
SELECT (SELECT min(not_before) FROM runs_ready WHERE not_before < %(never)s),
       (SELECT min(opens_at) FROM runs_bucket WHERE opens_at IS NOT NULL) - {now},
       EXISTS (SELECT 1 FROM runs_bucket b WHERE b.opens_at IS NOT NULL AND b.id IN (
         SELECT bucket_id FROM ({back}) back))
"""
OPEN = """
WITH due AS MATERIALIZED (
  SELECT b.id FROM runs_bucket b WHERE b.opens_at <= {now} ORDER BY b.opens_at LIMIT {batch} {lock}),
back AS MATERIALIZED (
  SELECT b.id FROM runs_bucket b
   WHERE b.opens_at IS NOT NULL AND b.id IN (SELECT bucket_id FROM ({back}) back) {lock})
UPDATE runs_bucket SET "full" = NOT {true}, opens_at = NULL
 WHERE id {among}
RETURNING 1
"""


def next_due() -> datetime | None:
    """When the next delay, retry or wait is due, or the next closed bucket opens; None for never."""
    due, opens_in, is_back = asked(LOOK)[0]
    moments = [] if due is None else [aware(due)]
    if is_back:
        opens_in = 0
    if opens_in is not None:
        moments.append(timezone.now() + timedelta(microseconds=int(opens_in)))
    return min(moments, default=None)


def open_due() -> int:
    """Buckets whose rate lets a run start are claimed from again. Returns how many."""
    return len(asked(OPEN))


def asked(statement: str) -> list[tuple[Any, ...]]:
    vendor = connection.vendor
    adapt = connection.ops.adapt_datetimefield_value
    text = statement.format(
        now=NOW[vendor],
        back=BACK.format(true=TRUE[vendor]),
        true=TRUE[vendor],
        among=AMONG[vendor],
        batch=BATCH,
        lock=LOCK[vendor],
    )
    values = {"now": microseconds(), "never": adapt(NEVER)}
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return list(cursor.fetchall())


def aware(moment: Any) -> datetime:
    """A moment of either driver: SQLite's hands an expression over as text, in UTC."""
    found: datetime = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)

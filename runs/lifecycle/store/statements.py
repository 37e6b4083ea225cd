"""SQLite's statements, and how values travel in and out of it."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from runs import fingerprints
from runs.lifecycle.store.base import ASSIGNMENT_COLUMNS, Assignment
from runs.lifecycle.store.endings import Ending
from runs.states import RunStatus

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
LIVE = "SELECT version, lacking FROM runs_workersession WHERE id = %s AND state = 'ALIVE'"
MAY_TAKE = f"{LIVE} AND NOT draining AND %s IN ('', version)"

# -- trigger --------------------------------------------------------------------------------------

BUCKET = """
INSERT INTO runs_bucket (queue_id, concurrency_key, key_hash, served, "full") VALUES (%s, %s, %s, 0, 0)
ON CONFLICT (queue_id, key_hash) DO NOTHING
"""
FIND_BUCKET = "SELECT id FROM runs_bucket WHERE queue_id = %s AND key_hash = %s"
EVENT = """
INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
READY = """
INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane) VALUES (%s, %s, %s, %s, %s)
"""

# -- claim and start ------------------------------------------------------------------------------

TAKE = """
UPDATE runs_run
   SET status = %s, attempt_number = attempt_number + %s, started_at = coalesce(started_at, %s),
       executed_at = CASE WHEN %s THEN coalesce(executed_at, %s) ELSE executed_at END,
       reason = '', retry_at = NULL, updated_at = %s,
       version = CASE WHEN %s AND version = '' THEN %s ELSE version END
 WHERE id = %s AND status = 'QUEUED'
   AND (version = '' OR version = %s OR %s = '') AND instr(%s, char(10) || task_id || char(10)) = 0
   AND (expires_at IS NULL OR expires_at > %s OR started_at IS NOT NULL)
RETURNING attempt_number
"""
EXPIRE = """
UPDATE runs_run SET status = 'EXPIRED', finished_at = %s, updated_at = %s,
       reason = 'Its time to live passed before a worker could start it.'
 WHERE id = %s AND status = 'QUEUED' AND started_at IS NULL AND expires_at <= %s
RETURNING task_id, version
"""
PUT_BACK = """
INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane, resumed)
SELECT id, %s, sort_key, %s, lane, waited_attempt = attempt_number + 1
  FROM runs_run WHERE id = %s AND status = 'QUEUED'
"""
LEASE = """
INSERT INTO runs_lease (run_id, bucket_id, queue_id, session_id, attempt, token, claimed_at, pid, started_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
SERVED = 'UPDATE runs_bucket SET served = %s, "full" = %s WHERE id = %s'
PASSED = "UPDATE runs_bucket SET served = %s WHERE id = %s"
BUCKET_FULL = 'UPDATE runs_bucket SET "full" = 1, opens_at = NULL WHERE id = %s'
BUCKET_CLOSED = 'UPDATE runs_bucket SET "full" = 1, arrival = %s, opens_at = %s WHERE id = %s'
ARRIVAL = "UPDATE runs_bucket SET arrival = %s WHERE id = %s"
QUEUE_FULL = 'UPDATE runs_queue SET "full" = 1 WHERE id = %s'
HELD_LEASE = (
    "SELECT session_id, attempt, pid, started_at FROM runs_lease WHERE run_id = %s AND token = %s"
)
START = """
UPDATE runs_run SET status = 'EXECUTING', attempt_number = %s, updated_at = %s,
       executed_at = coalesce(executed_at, %s), version = coalesce(nullif(version, ''), %s)
 WHERE id = %s AND status = 'DEQUEUED' AND (cancel_requested_at IS NULL OR %s)
RETURNING id
"""
HELD_BY = """
SELECT run_id FROM runs_lease WHERE session_id = %s AND pid = %s AND started_at IS NOT NULL
 ORDER BY started_at, run_id
"""
LEASE_STARTED = "UPDATE runs_lease SET pid = %s, started_at = %s WHERE run_id = %s"
ASSIGNMENT = (
    f"SELECT {ASSIGNMENT_COLUMNS} FROM runs_lease l "
    "JOIN runs_run r ON r.id = l.run_id WHERE l.run_id = %s"
)

# -- finish ---------------------------------------------------------------------------------------

GIVE_UP_LEASE = """
DELETE FROM runs_lease WHERE run_id = %s AND token = %s
RETURNING bucket_id, queue_id, session_id, attempt, pid, started_at
"""
END = """
UPDATE runs_run
   SET status = CASE WHEN cancel_requested_at IS NULL THEN %(status)s ELSE 'CANCELED' END,
       finished_at = CASE WHEN %(retry)s AND cancel_requested_at IS NULL THEN NULL ELSE %(at)s END,
       output = CASE WHEN cancel_requested_at IS NULL THEN %(output)s END,
       error = coalesce(%(error)s, error),
       reason = CASE WHEN cancel_requested_at IS NULL THEN %(reason)s ELSE reason END,
       retry_at = CASE WHEN %(retry)s AND cancel_requested_at IS NULL THEN %(due)s END,
       uncounted_attempts = uncounted_attempts + %(uncounted)s,
       crash_count = crash_count + %(crashed)s,
       machine = coalesce(%(machine)s, machine), lane = coalesce(%(lane)s, lane),
       usage_ms = usage_ms + coalesce(
         max(cast(round((julianday(%(at)s) - julianday(%(started)s)) * 86400000) AS integer), 0), 0),
       done_token = %(token)s, updated_at = %(at)s
 WHERE id = %(run_id)s
RETURNING status, sort_key, lane, task_id, version
"""
FAILURE = """
INSERT OR IGNORE INTO runs_failure (run_id, attempt, fingerprint, version, ended, at, counted)
VALUES (%s, %s, %s, %s, %s, %s, 0)
"""
ATTEMPT = """
INSERT INTO runs_attempt (run_id, number, status, session_id, pid, started_at, finished_at, error, retry_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
FORGET_HOOKS = "DELETE FROM runs_finalhooks WHERE run_id = %s"
FREE_KEY = "DELETE FROM runs_idempotency WHERE run_id = %s AND task_id <> ''"
HAS_WON = "SELECT 1 FROM runs_run WHERE id = %s AND done_token = %s"
#: What the worker process of a finished run took with a write whose answer it never got.
INHERITED = """
SELECT l.run_id
  FROM runs_attempt done
  JOIN runs_lease l ON l.session_id = done.session_id AND l.pid = done.pid
  JOIN runs_run r ON r.id = l.run_id
 WHERE done.run_id = %s AND done.pid = %s
 ORDER BY r.sort_key, r.id
"""
MAY_INHERIT = """
SELECT 1 FROM runs_queue q WHERE q.id = %s AND NOT q.paused AND q.rate_interval IS NULL
   AND (coalesce(q.override_limit, q.concurrency_limit) IS NULL
        OR (SELECT count(*) FROM runs_lease l WHERE l.bucket_id = %s)
           < coalesce(q.override_limit, q.concurrency_limit))
   AND (coalesce(q.override_total, q.total_limit) IS NULL
        OR (SELECT count(*) FROM runs_lease l WHERE l.queue_id = q.id)
           < coalesce(q.override_total, q.total_limit))
"""
BUCKET_ROOM = 'UPDATE runs_bucket SET "full" = 0 WHERE id = %s AND "full" AND opens_at IS NULL'
QUEUE_ROOM = 'UPDATE runs_queue SET "full" = 0 WHERE id = %s AND "full"'

# -- wait -----------------------------------------------------------------------------------------

WHOLE_LEASE = """
SELECT bucket_id, queue_id, session_id, attempt, coalesce(started_at, claimed_at)
  FROM runs_lease WHERE run_id = %s AND token = %s
"""
NEXT_SEGMENT = "UPDATE runs_lease SET started_at = %s WHERE run_id = %s"
IS_CANCELING = "SELECT 1 FROM runs_run WHERE id = %s AND cancel_requested_at IS NOT NULL"
AWAIT = """
UPDATE runs_run SET awaited = 1 WHERE id IN ({places}) AND NOT awaited AND finished_at IS NULL
"""
STILL_OPEN = """
SELECT id FROM runs_run WHERE id IN ({places}) AND finished_at IS NULL
UNION ALL
SELECT id FROM runs_waitpoint WHERE id IN ({places}) AND status = 'WAITING'
"""
SEGMENT_MS = (
    "max(cast(round((julianday(%(at)s) - julianday(%(started)s)) * 86400000) AS integer), 0)"
)
COUNT_SEGMENT = f"""
UPDATE runs_run
   SET usage_ms = usage_ms + {SEGMENT_MS},
       attempt_ms = CASE WHEN waited_attempt = %(attempt)s THEN attempt_ms ELSE 0 END + {SEGMENT_MS},
       waited_attempt = %(attempt)s
 WHERE id = %(run_id)s
"""
WAIT = """
UPDATE runs_run SET status = 'WAITING', reason = %s, done_token = %s, updated_at = %s WHERE id = %s
RETURNING sort_key, lane
"""
READY_WAITING = """
INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane, resumed)
SELECT %s, b.id, %s, %s, %s, q.rate_interval IS NOT NULL
  FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id WHERE b.id = %s
"""
WAITER = "INSERT INTO runs_waiter (target, run_id, one_suffices) VALUES (%s, %s, %s)"
RESUME = "UPDATE runs_ready SET not_before = NULL WHERE run_id = %s"


def triggered(row: dict[str, Any]) -> tuple[Any, ...]:
    """The first event of a new run."""
    facts = (row["actor"], row["reason"], "", row["created_at"])
    return (row["id"], "triggered", row["status"], 0, *facts)


def is_due(row: dict[str, Any]) -> bool:
    """Whether a new run may be claimed, now or later."""
    return row["status"] in (RunStatus.QUEUED, RunStatus.DELAYED)


def ready(row: dict[str, Any], buckets: Mapping[tuple[str, str | None], int]) -> tuple[Any, ...]:
    """The place of a new run in its queue."""
    bucket = buckets[row["queue"], row["concurrency_key"]]
    return row["id"], bucket, row["sort_key"], row["delay_until"], row["lane"]


def failure(
    run_id: str, attempt: int, mark: str, whose: Sequence[str], at: str, ended: bool = True
) -> tuple[Any, ...]:
    """See `trackside_failed`; `whose` is the task and the version."""
    task_id, version = whose
    return run_id, attempt, fingerprints.of(mark, task_id), version, ended, at


def stamp(moment: datetime) -> str:
    """A moment as Django's SQLite backend stores it; the driver hands it over naive, in UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ")


def now() -> str:
    return stamp(timezone.now())


def microseconds() -> int:
    """Now, since 1970: by the clock of `now`, which tests move."""
    return (timezone.now() - EPOCH) // MICROSECOND


def at(moment: int) -> str:
    """A moment of CLOCK_MONOTONIC, in nanoseconds."""
    age = timedelta(microseconds=(time.monotonic_ns() - moment) / 1000)
    return stamp(timezone.now() - age)


def due_at(delay: float | None) -> str | None:
    """When a retry is due; None is at once."""
    return stamp(timezone.now() + timedelta(seconds=delay)) if delay and delay > 0 else None


def plain(value: Any) -> Any:
    """A value as the driver takes it."""
    return stamp(value) if isinstance(value, datetime) else value


def end_params(ending: Ending, started: Any, at: str, due: str | None) -> dict[str, Any]:
    return {
        "status": ending.status.value,
        "retry": ending.is_retry,
        "at": at,
        "output": ending.output,
        "error": ending.error,
        "reason": ending.reason,
        "due": due,
        "uncounted": int(ending.uncounted),
        "crashed": int(ending.crashed),
        "machine": ending.machine,
        "lane": ending.lane,
        "run_id": ending.run_id,
        "started": plain(started),
        "token": ending.token,
    }


def assignment(row: tuple[Any, ...]) -> Assignment:
    """A row of ASSIGNMENT; the driver hands moments over naive."""
    found = Assignment(*row)
    return found._replace(
        is_test=bool(found.is_test),
        resumed=bool(found.resumed),
        begun=bool(found.begun),
        retaken=bool(found.retaken),
        created_at=found.created_at.replace(tzinfo=UTC),
        started_at=found.started_at.replace(tzinfo=UTC),
    )

"""SQLite's statements for several runs at once: the parts of `runs/sql/postgresql/turn.sql`."""

from functools import cache
from typing import NamedTuple

from runs.lifecycle.store.base import Assignment

# -- ends -----------------------------------------------------------------------------------------

LEASES = """
SELECT l.run_id, l.token, l.bucket_id, l.queue_id, l.session_id, l.attempt, l.started_at IS NOT NULL,
       r.cancel_requested_at IS NOT NULL
  FROM runs_lease l JOIN runs_run r ON r.id = l.run_id
 WHERE l.run_id IN (SELECT value FROM json_each(%s))
"""
GIVE_UP = "DELETE FROM runs_lease WHERE run_id IN (SELECT value FROM json_each(%s))"
END = """
UPDATE runs_run
   SET status = %s, output = %s, reason = CASE WHEN cancel_requested_at IS NULL THEN '' ELSE reason END,
       attempt_number = %s, executed_at = coalesce(executed_at, %s), finished_at = %s, updated_at = %s,
       done_token = %s, version = coalesce(nullif(version, ''), %s), usage_ms = usage_ms + %s
 WHERE id = %s
"""
ATTEMPT = """
INSERT INTO runs_attempt (run_id, number, status, session_id, pid, started_at, finished_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""

# -- takes ----------------------------------------------------------------------------------------

# without a bucket to begin with, the index would be passed over for one with all runs in it
HAS_SHARED = """
SELECT 1 FROM runs_ready INDEXED BY ready_shared WHERE lane = 1 AND not_before IS NULL LIMIT 1
"""
HAS_PINNED = "SELECT 1 FROM runs_ready WHERE pin > '' AND pin = %s LIMIT 1"
PLACE = "SELECT bucket_id, queue_id FROM runs_lease WHERE run_id = %s"
QUEUES_ROOM = """
UPDATE runs_queue SET "full" = 0 WHERE id IN (SELECT value FROM json_each(%s)) AND "full"
"""
BUCKETS_ROOM = """
UPDATE runs_bucket SET "full" = 0
 WHERE id IN (SELECT value FROM json_each(%s)) AND "full" AND opens_at IS NULL
"""
COUNTS_NOTHING = """
SELECT 1 FROM runs_queue q WHERE q.id = %s AND NOT q.paused AND q.rate_interval IS NULL
   AND coalesce(q.override_total, q.total_limit) IS NULL
   AND coalesce(q.override_limit, q.concurrency_limit) IS NULL
"""
PICK_HEADS = """
DELETE FROM runs_ready WHERE run_id IN (SELECT value FROM json_each(%s)) RETURNING run_id, untaken
"""
# "full" twice, and lanes in the text: see `heads`
OF_LANE = "lane = {lane} AND pin = '' AND not_before IS NULL"
HEAD = f"SELECT run_id FROM runs_ready r WHERE bucket_id = b.id AND {OF_LANE} ORDER BY sort_key, run_id LIMIT 1"
OPEN = f"""
  FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
 WHERE NOT b."full" AND b."full" = 0 AND NOT q.paused AND NOT q."full" AND EXISTS ({HEAD})
"""
SIMPLE = "q.rate_interval IS NULL AND coalesce(q.override_total, q.total_limit) IS NULL"


class Picking(NamedTuple):
    """The statements that look for runs of one lane."""

    #: Takes a bucket and how many.
    pick: str
    #: Takes how many.
    across: str
    #: Whether a bucket other than these (JSON) may have a run to take across.
    other: str
    #: Whether any other than this one has a run.
    any_other: str


@cache
def picking(lane: int) -> Picking:
    pick = f"""
    DELETE FROM runs_ready WHERE run_id IN (
      SELECT run_id FROM runs_ready WHERE bucket_id = %s AND {OF_LANE} ORDER BY sort_key, run_id LIMIT %s)
    RETURNING run_id, untaken
    """
    across = f"""
    SELECT b.id, b.queue_id, coalesce(q.override_limit, q.concurrency_limit),
           (SELECT count(*) FROM runs_lease l WHERE l.bucket_id = b.id), ({HEAD})
    {OPEN} AND {SIMPLE} ORDER BY b.served LIMIT %s
    """
    other = (
        f"SELECT 1 {OPEN} AND b.id NOT IN (SELECT value FROM json_each(%s)) AND {SIMPLE} LIMIT 1"
    )
    any_other = f"SELECT 1 {OPEN} AND b.id <> %s LIMIT 1"
    return Picking(*(text.format(lane=int(lane)) for text in (pick, across, other, any_other)))


#: A column of an assignment, as what was just taken has it; its token comes later.
AS_TAKEN = {
    "run_id": "id",
    "token": "''",
    "attempt": "attempt_number + {ahead}",
    "resumed": "waited_attempt = attempt_number + {ahead}",
    "begun": "{begun}",
    "retaken": "started_at < updated_at",
}
TAKE = f"""
UPDATE runs_run
   SET status = '{{status}}', attempt_number = attempt_number + 1 - {{ahead}},
       started_at = coalesce(started_at, %s), reason = '', retry_at = NULL, updated_at = %s,
       executed_at = CASE WHEN {{begun}} THEN coalesce(executed_at, %s) ELSE executed_at END,
       version = CASE WHEN {{begun}} THEN coalesce(nullif(version, ''), %s) ELSE version END
 WHERE id IN (SELECT value FROM json_each(%s)) AND +status = 'QUEUED'
   AND (version = '' OR version = %s OR %s = '') AND instr(%s, char(10) || task_id || char(10)) = 0
   AND (expires_at IS NULL OR expires_at > %s OR started_at IS NOT NULL)
RETURNING sort_key, {", ".join(AS_TAKEN.get(name, name) for name in Assignment._fields)}
"""
#: Starts are recorded later, with the ends; and at once.
TAKE_UNSTARTED = TAKE.format(status="DEQUEUED", ahead=1, begun=0)
TAKE_STARTED = TAKE.format(status="EXECUTING", ahead=0, begun=1)

"""SQLite: which run is next, among those of some lanes.

Lanes stand in the text: a parameter that is compared where an index is for one lane only has SQLite
plan the statement anew at each call.
"""

from functools import cache

Lanes = tuple[int, ...]

# "full" twice: an index that leaves some out is used where its own words stand, and these differ
# between versions of Django
BUCKET_FACTS = """
SELECT b.id, b.queue_id, coalesce(q.override_limit, q.concurrency_limit),
       coalesce(q.override_total, q.total_limit), q.rate_interval, q.rate_burst, b.arrival
  FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
"""
OPEN_BUCKET = """
{facts}
 WHERE NOT b."full" AND b."full" = 0 AND NOT q.paused AND NOT q."full"
   AND EXISTS (SELECT 1 FROM runs_ready r
                WHERE r.bucket_id = b.id AND r.lane IN ({lanes}) AND r.pin IN ('', %s)
                  AND r.not_before IS NULL)
 ORDER BY b.served LIMIT 1
"""
# a rate that has closed a bucket does not hold up what goes on after a wait
BACK_BUCKET = """
{facts}
 WHERE b.opens_at IS NOT NULL AND NOT q.paused AND NOT q."full"
   AND b.id IN (SELECT bucket_id FROM runs_ready
                 WHERE not_before IS NULL AND resumed AND resumed = 1
                   AND lane IN ({lanes}) AND pin IN ('', %s) LIMIT 1000)
 LIMIT 1
"""
# asked for several lanes and pins at once, the index would have to be sorted
FIRST_OF = """
SELECT * FROM (
  SELECT run_id, sort_key FROM runs_ready
   WHERE bucket_id = %s AND lane = {lane} AND pin = %s AND not_before IS NULL
   ORDER BY sort_key, run_id LIMIT 1)
"""
HEAD = """
DELETE FROM runs_ready WHERE run_id = (
  SELECT run_id FROM ({firsts}) ORDER BY sort_key, run_id LIMIT 1)
RETURNING run_id, pin
"""
HEAD_RESUMED = """
DELETE FROM runs_ready WHERE run_id = (
  SELECT run_id FROM runs_ready
   WHERE bucket_id = %s AND not_before IS NULL AND resumed AND resumed = 1
     AND lane IN ({lanes}) AND pin IN ('', %s)
   ORDER BY sort_key, run_id LIMIT 1)
RETURNING run_id, pin
"""


@cache
def open_bucket(lanes: Lanes) -> str:
    """Takes a version."""
    return OPEN_BUCKET.format(facts=BUCKET_FACTS, lanes=listed(lanes))


@cache
def back_bucket(lanes: Lanes) -> str:
    """Takes a version."""
    return BACK_BUCKET.format(facts=BUCKET_FACTS, lanes=listed(lanes))


@cache
def head(lanes: Lanes) -> str:
    """Takes for each lane: the bucket and "", the bucket and a version."""
    firsts = [FIRST_OF.format(lane=int(lane)) for lane in lanes for _ in range(2)]
    return HEAD.format(firsts=" UNION ALL ".join(firsts))


@cache
def head_resumed(lanes: Lanes) -> str:
    """Takes a bucket and a version."""
    return HEAD_RESUMED.format(lanes=listed(lanes))


def listed(lanes: Lanes) -> str:
    return ", ".join(str(int(lane)) for lane in lanes)

"""A rate that workers of both lanes share: neither has every start. SQLite's twin of `trackside_is_others`."""

from collections.abc import Sequence

from runs.models import Lane

#: Microseconds that the workers of the lane whose run was there first get to take it.
GRACE = 500_000
#: Whether the first run of one lane came before that of another.
CAME_FIRST = """
WITH head AS (
  SELECT * FROM (SELECT lane, sort_key, run_id FROM runs_ready
                  WHERE bucket_id = %s AND lane = %s AND pin = '' AND not_before IS NULL
                  ORDER BY sort_key, run_id LIMIT 1)
   UNION ALL
  SELECT * FROM (SELECT lane, sort_key, run_id FROM runs_ready
                  WHERE bucket_id = %s AND lane = %s AND pin = '' AND not_before IS NULL
                  ORDER BY sort_key, run_id LIMIT 1))
SELECT 1 FROM head theirs, head ours
 WHERE theirs.lane <> ours.lane AND ours.lane = %s
   AND (theirs.sort_key, theirs.run_id) < (ours.sort_key, ours.run_id)
"""


def question(bucket: int, lanes: Sequence[Lane], open_for: int) -> list[int] | None:
    """What to ask CAME_FIRST of a bucket that has been open so long; None where it is ours anyway."""
    if len(lanes) > 1 or open_for > GRACE:
        return None
    ours = int(lanes[0])
    return [bucket, 1 - ours, bucket, ours, ours]

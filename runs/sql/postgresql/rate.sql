-- A queue's rate: the generic cell rate algorithm of `runs/rates.py`, on a bucket whose row the caller has locked.
-- All moments are microseconds since 1970 by this server's clock.
CREATE OR REPLACE FUNCTION trackside_now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
$$;

-- Whether one more run of the bucket may start now. If not, the bucket is closed until one may.
CREATE OR REPLACE FUNCTION trackside_is_open(p_bucket bigint, p_interval bigint, p_burst integer) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  v_now bigint := trackside_now();
  v_arrival bigint;
BEGIN
  SELECT least(arrival, v_now + p_burst * p_interval) INTO v_arrival FROM runs_bucket WHERE id = p_bucket;
  IF v_arrival - (p_burst - 1) * p_interval <= v_now THEN
    RETURN true;
  END IF;
  UPDATE runs_bucket
     SET "full" = true, arrival = v_arrival, opens_at = v_arrival - (p_burst - 1) * p_interval
   WHERE id = p_bucket;
  RETURN false;
END $$;

-- A run of the bucket has just been started.
CREATE OR REPLACE FUNCTION trackside_count_start(p_bucket bigint, p_interval bigint, p_burst integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  v_now bigint := trackside_now();
BEGIN
  UPDATE runs_bucket SET arrival = greatest(least(arrival, v_now + p_burst * p_interval), v_now) + p_interval
   WHERE id = p_bucket;
END $$;

-- Whether an open bucket is left to the workers of the other lane: their run was there first, and they have had less
-- than half a second to take it. Later whoever comes has it, lest all wait for workers that are busy or not there.
-- Without this the workers that look first would have every start of a rate.
CREATE OR REPLACE FUNCTION trackside_is_others(p_bucket bigint, p_interval bigint, p_burst integer,
                                               p_code trackside_code)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF cardinality(p_code.lanes) > 1 OR trackside_now() - 500000 > (
       SELECT arrival - (p_burst - 1) * p_interval FROM runs_bucket WHERE id = p_bucket) THEN
    RETURN false;
  END IF;
  RETURN EXISTS (
    SELECT 1
      FROM (SELECT sort_key, run_id FROM runs_ready
             WHERE bucket_id = p_bucket AND lane = 1 - p_code.lanes[1] AND pin = '' AND not_before IS NULL
             ORDER BY sort_key, run_id LIMIT 1) theirs,
           (SELECT sort_key, run_id FROM runs_ready
             WHERE bucket_id = p_bucket AND lane = p_code.lanes[1] AND pin = '' AND not_before IS NULL
             ORDER BY sort_key, run_id LIMIT 1) ours
     WHERE (theirs.sort_key, theirs.run_id) < (ours.sort_key, ours.run_id));
END $$;

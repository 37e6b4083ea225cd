-- Store new runs with their events, buckets and ready rows, in one round trip.
--   p_runs:  [{every column of runs_run}]
--   p_ready: [{run_id, queue_id, concurrency_key, key_hash, sort_key, not_before}] of the queued and delayed ones
--   p_tags:  [{tag, run_id}]
-- Buckets are locked FOR KEY SHARE, which keeps housekeeping from removing one under us and leaves claims alone.
CREATE OR REPLACE FUNCTION trackside_insert(p_runs json, p_ready json, p_tags json) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  v_wanted int;
  v_locked int;
BEGIN
  WITH made AS (
    INSERT INTO runs_run SELECT * FROM json_populate_recordset(NULL::runs_run, p_runs)
    RETURNING id, status, actor, reason, created_at)
  INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
  SELECT id, 'triggered', status, 0, actor, reason, '', created_at FROM made ORDER BY id;

  IF p_tags IS NOT NULL THEN
    INSERT INTO runs_runtag (tag, run_id)
    SELECT tag, run_id FROM json_to_recordset(p_tags) AS t(tag text, run_id text);
  END IF;
  IF p_ready IS NULL THEN
    RETURN;
  END IF;

  SELECT count(DISTINCT (queue_id, key_hash)) INTO v_wanted
    FROM json_to_recordset(p_ready) AS w(queue_id bigint, key_hash text);
  LOOP
    SELECT count(*) INTO v_locked FROM (
      SELECT 1 FROM runs_bucket b
       WHERE EXISTS (SELECT 1 FROM json_to_recordset(p_ready) AS w(queue_id bigint, key_hash text)
                      WHERE w.queue_id = b.queue_id AND w.key_hash = b.key_hash)
         AND (b.queue_id, b.key_hash) IN (
               SELECT w.queue_id, w.key_hash
                 FROM json_to_recordset(p_ready) AS w(queue_id bigint, key_hash text))
       FOR KEY SHARE) AS held;
    EXIT WHEN v_locked = v_wanted;
    INSERT INTO runs_bucket (queue_id, concurrency_key, key_hash, served, "full")
    SELECT DISTINCT ON (queue_id, key_hash) queue_id, concurrency_key, key_hash, 0, false
      FROM json_to_recordset(p_ready) AS w(queue_id bigint, concurrency_key text, key_hash text)
     ORDER BY queue_id, key_hash
    ON CONFLICT (queue_id, key_hash) DO NOTHING;
  END LOOP;

  INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before)
  SELECT w.run_id, b.id, w.sort_key, w.not_before
    FROM json_to_recordset(p_ready) AS w(run_id text, queue_id bigint, key_hash text, sort_key bigint,
                                         not_before timestamptz)
    JOIN runs_bucket b ON b.queue_id = w.queue_id AND b.key_hash = w.key_hash;
END $$;

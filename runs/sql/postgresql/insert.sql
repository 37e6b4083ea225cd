-- Store new runs with their events, tags, buckets and ready rows, in one round trip.
--   p_common:  {columns of runs_run that are the same in all of them}    p_runs: [{the others}]
--   p_buckets: [{queue, queue_id, concurrency_key, key_hash}] of the queued and delayed ones
--   p_tags:    [{tag, run_id}]
-- Buckets are locked FOR KEY SHARE, which keeps housekeeping from removing one under us and leaves claims alone.
CREATE OR REPLACE FUNCTION trackside_insert(p_common json, p_runs json, p_buckets json, p_tags json) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  v_places bigint[];
  v_hashes text[];
  v_locked int;
BEGIN
  SELECT array_agg(queue_id), array_agg(key_hash) INTO v_places, v_hashes
    FROM json_to_recordset(p_buckets) AS w(queue_id bigint, key_hash text);
  LOOP
    SELECT count(*) INTO v_locked FROM (
      SELECT 1 FROM unnest(v_places, v_hashes) AS w(queue_id, key_hash)
        JOIN runs_bucket b ON b.queue_id = w.queue_id AND b.key_hash = w.key_hash
       FOR KEY SHARE OF b) AS held;
    EXIT WHEN v_locked = coalesce(cardinality(v_places), 0);
    INSERT INTO runs_bucket (queue_id, concurrency_key, key_hash, served, "full")
    SELECT queue_id, concurrency_key, key_hash, 0, false
      FROM json_to_recordset(p_buckets) AS w(queue_id bigint, concurrency_key text, key_hash text)
     ORDER BY queue_id, key_hash
    ON CONFLICT (queue_id, key_hash) DO NOTHING;
  END LOOP;

  WITH made AS (
    INSERT INTO runs_run
    SELECT * FROM json_populate_recordset(json_populate_record(NULL::runs_run, p_common), p_runs)
    RETURNING id, status, actor, reason, created_at, queue, concurrency_key, sort_key, delay_until, lane
  ), told AS (
    INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
    SELECT id, 'triggered', status, 0, actor, reason, '', created_at FROM made ORDER BY id
  )
  INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane)
  SELECT made.id, b.id, made.sort_key, made.delay_until, made.lane
    FROM made
    -- prefixed, so that no key and the empty key stay two
    JOIN json_to_recordset(p_buckets) AS w(queue text, queue_id bigint, concurrency_key text, key_hash text)
      ON w.queue = made.queue
     AND coalesce('=' || w.concurrency_key, '') = coalesce('=' || made.concurrency_key, '')
    JOIN runs_bucket b ON b.queue_id = w.queue_id AND b.key_hash = w.key_hash
   WHERE made.status IN ('QUEUED', 'DELAYED');

  IF p_tags IS NOT NULL THEN
    INSERT INTO runs_runtag (tag, run_id)
    SELECT tag, run_id FROM json_to_recordset(p_tags) AS t(tag text, run_id text);
  END IF;
END $$;

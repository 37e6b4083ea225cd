-- The commonest move of all: a body returned, and its slot goes to the next run of the bucket. The lease row itself
-- is handed over, so the bucket's count does not change and nothing is locked or counted against others.
-- No row: nothing of this was done (no run is due, the limit was lowered, the queue is paused, the cluster stops,
-- the lease was lost) and trackside_finish has to be asked.
CREATE OR REPLACE FUNCTION trackside_hand_over(p_run text, p_token text, p_output text, p_pid integer)
RETURNS TABLE (run_id text, task_id text, token text, attempt integer, payload text, tags text, is_test boolean,
               queue text, concurrency_key text, priority double precision, max_attempts integer,
               uncounted_attempts integer, max_duration double precision, machine text, version text,
               created_at timestamptz, started_at timestamptz, parent_id text, root_id text,
               replayed_from_id text, idempotency_key text, idempotency_scope text, metadata text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_bucket bigint;
  v_queue bigint;
  v_session text;
  v_attempt integer;
  v_started timestamptz;
  v_limit integer;
  v_total integer;
  v_next text;
  v_number integer;
  v_status text;
BEGIN
  SELECT l.bucket_id, l.queue_id, l.session_id, l.attempt, l.started_at,
         coalesce(q.override_limit, q.concurrency_limit), q.total_limit
    INTO v_bucket, v_queue, v_session, v_attempt, v_started, v_limit, v_total
    FROM runs_lease l JOIN runs_queue q ON q.id = l.queue_id JOIN runs_workersession s ON s.id = l.session_id
   WHERE l.run_id = p_run AND l.token = p_token AND s.state = 'ALIVE' AND NOT s.draining AND NOT q.paused;
  IF NOT FOUND
     OR (v_limit IS NOT NULL AND (SELECT count(*) FROM runs_lease WHERE bucket_id = v_bucket) > v_limit)
     OR (v_total IS NOT NULL AND (SELECT count(*) FROM runs_lease WHERE queue_id = v_queue) > v_total) THEN
    RETURN;
  END IF;

  LOOP
    DELETE FROM runs_ready WHERE run_id = (
      SELECT run_id FROM runs_ready WHERE bucket_id = v_bucket AND not_before IS NULL
       ORDER BY sort_key, run_id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING run_id INTO v_next;
    IF v_next IS NULL THEN
      RETURN;
    END IF;
    UPDATE runs_run
       SET status = 'EXECUTING', attempt_number = attempt_number + 1, reason = '', retry_at = NULL,
           started_at = coalesce(started_at, v_now), executed_at = coalesce(executed_at, v_now), updated_at = v_now
     WHERE id = v_next AND status = 'QUEUED'
       AND (expires_at IS NULL OR expires_at > v_now OR started_at IS NOT NULL)
    RETURNING id, task_id, attempt_number, payload, tags, is_test, queue, concurrency_key, priority, max_attempts,
              uncounted_attempts, max_duration, machine, version, created_at, started_at, parent_id, root_id,
              replayed_from_id, idempotency_key, idempotency_scope, metadata
         INTO run_id, task_id, attempt, payload, tags, is_test, queue, concurrency_key, priority, max_attempts,
              uncounted_attempts, max_duration, machine, version, created_at, started_at, parent_id, root_id,
              replayed_from_id, idempotency_key, idempotency_scope, metadata;
    EXIT WHEN FOUND;
    PERFORM trackside_expire(v_next);
  END LOOP;
  v_number := attempt;

  UPDATE runs_lease
     SET run_id = v_next, attempt = v_number, token = gen_random_uuid()::text, claimed_at = v_now, pid = p_pid,
         started_at = v_now
   WHERE run_id = p_run AND token = p_token
  RETURNING token INTO token;
  IF NOT FOUND THEN  -- taken back since we looked: undo all of this, and ask again
    RAISE EXCEPTION 'the lease of % was taken back just now', p_run USING ERRCODE = 'serialization_failure';
  END IF;

  UPDATE runs_run
     SET status = CASE WHEN cancel_requested_at IS NULL THEN 'COMPLETED' ELSE 'CANCELED' END,
         output = CASE WHEN cancel_requested_at IS NULL THEN p_output END,
         reason = CASE WHEN cancel_requested_at IS NULL THEN '' ELSE reason END,
         finished_at = v_now, updated_at = v_now, done_token = p_token,
         usage_ms = usage_ms + (extract(epoch FROM v_now - v_started) * 1000)::bigint
   WHERE id = p_run
  RETURNING status INTO v_status;
  INSERT INTO runs_attempt (run_id, number, status, session_id, pid, started_at, finished_at)
  VALUES (p_run, v_attempt, v_status, v_session, p_pid, v_started, v_now);
  INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
  VALUES (p_run, lower(v_status), v_status, v_attempt, 'session:' || v_session, '', '', v_now),
         (v_next, 'started', 'EXECUTING', v_number, 'session:' || v_session, '', '', v_now);
  RETURN NEXT;
END $$;

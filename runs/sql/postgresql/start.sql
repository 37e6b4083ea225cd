-- The body is about to run: DEQUEUED to EXECUTING by whoever holds the lease. No row: the lease was lost, or
-- the run was canceled before it started and is now CANCELED. Asked again by a worker that did not get the
-- answer, it answers the same.
CREATE OR REPLACE FUNCTION trackside_start(p_run text, p_token text, p_pid integer)
RETURNS TABLE (run_id text, task_id text, token text, attempt integer, payload text, tags text, is_test boolean,
               queue text, concurrency_key text, priority double precision, max_attempts integer,
               uncounted_attempts integer, max_duration double precision, machine text, version text,
               created_at timestamptz, started_at timestamptz, parent_id text, root_id text,
               replayed_from_id text, idempotency_key text, idempotency_scope text, metadata text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_session text;
  v_attempt integer;
  v_pid integer;
  v_started timestamptz;
  v_now timestamptz := clock_timestamp();
BEGIN
  SELECT l.session_id, l.attempt, l.pid, l.started_at INTO v_session, v_attempt, v_pid, v_started
    FROM runs_lease l WHERE l.run_id = p_run AND l.token = p_token FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF v_started IS NOT NULL AND v_pid = p_pid THEN
    RETURN QUERY SELECT * FROM trackside_assignment(p_run);
    RETURN;
  END IF;
  UPDATE runs_run SET status = 'EXECUTING', attempt_number = v_attempt, updated_at = v_now,
         executed_at = coalesce(executed_at, v_now)
   WHERE id = p_run AND status = 'DEQUEUED' AND cancel_requested_at IS NULL;
  IF NOT FOUND THEN
    PERFORM trackside_end(p_run, p_token, 'CANCELED', 'CANCELED', 'canceled', NULL, NULL, NULL, '', 0, false);
    RETURN;
  END IF;
  UPDATE runs_lease SET pid = p_pid, started_at = v_now WHERE run_id = p_run;
  INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
  VALUES (p_run, 'started', 'EXECUTING', v_attempt, 'session:' || v_session, '', '', v_now);
  RETURN QUERY SELECT * FROM trackside_assignment(p_run);
END $$;

-- The body is about to run: DEQUEUED to EXECUTING by whoever holds the lease. No row: the lease was lost, or
-- the run was canceled before it started and is now CANCELED. Asked again by a worker that did not get the
-- answer, or told late by one process what another has told, it answers the same.
--   p_began: seconds since the body was entered, for a start that is recorded only now; a cancel no longer keeps
--   it from starting. NULL when it was not entered yet.
--   p_version: of the code that executes it; the run is locked to that of its first start
CREATE OR REPLACE FUNCTION trackside_start(p_run text, p_token text, p_pid integer, p_began double precision,
                                           p_version text DEFAULT '')
RETURNS SETOF trackside_assigned LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_session text;
  v_attempt integer;
  v_pid integer;
  v_started timestamptz;
  v_now timestamptz := clock_timestamp();
  v_began timestamptz := v_now - make_interval(secs => coalesce(p_began, 0));
BEGIN
  SELECT l.session_id, l.attempt, l.pid, l.started_at INTO v_session, v_attempt, v_pid, v_started
    FROM runs_lease l WHERE l.run_id = p_run AND l.token = p_token FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF v_started IS NOT NULL AND (v_pid = p_pid OR p_began IS NOT NULL) THEN
    RETURN QUERY SELECT * FROM trackside_assignment(p_run);
    RETURN;
  END IF;
  UPDATE runs_run SET status = 'EXECUTING', attempt_number = v_attempt, updated_at = v_now,
         executed_at = coalesce(executed_at, v_began), version = coalesce(nullif(version, ''), p_version)
   WHERE id = p_run AND status = 'DEQUEUED' AND (cancel_requested_at IS NULL OR p_began IS NOT NULL);
  IF NOT FOUND THEN
    PERFORM trackside_release(ARRAY[e.bucket_id], ARRAY[e.queue_id])
       FROM trackside_end(p_run, p_token, 'CANCELED', 'CANCELED', 'canceled', NULL, NULL, NULL, '', 0, false) e;
    RETURN;
  END IF;
  UPDATE runs_lease SET pid = p_pid, started_at = v_began WHERE run_id = p_run;
  INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
  VALUES (p_run, 'started', 'EXECUTING', v_attempt, 'session:' || v_session, '', '', v_began);
  RETURN QUERY SELECT * FROM trackside_assignment(p_run);
END $$;

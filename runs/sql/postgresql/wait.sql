-- The body reached a wait: the run leaves its worker as WAITING, unless what it waits for is there already.
-- Targets (runs, tokens) are locked in one order before the lease is looked at, and whoever ends one holds the same
-- lock: either the end is seen here, or the waiter is seen there.
--   p_due: seconds since 1970 at which it comes back anyway, NULL for never
--   p_one: the first target to end brings it back, not the last
--   p_targets: [id]    p_entries: [{columns of runs_journal}]    p_next: see trackside_next
-- outcome: waiting; canceled (it was asked to stop); ready (nothing to wait for: the lease is kept, the body goes on);
-- lost (the lease is gone)
CREATE OR REPLACE FUNCTION trackside_suspend(
  p_run text, p_token text, p_reason text, p_due double precision, p_one boolean, p_targets json, p_entries json,
  p_next integer, p_pid integer, p_version text DEFAULT '')
RETURNS TABLE (outcome text, work trackside_assigned) LANGUAGE plpgsql AS $$
DECLARE
  v_lease runs_lease%ROWTYPE;
  v_targets text[];
  v_open text[];
  v_due timestamptz := to_timestamp(p_due);
  v_now timestamptz;
BEGIN
  SELECT array_agg(DISTINCT id) INTO v_targets FROM json_array_elements_text(p_targets) AS id;
  v_open := trackside_hold(v_targets);
  SELECT * INTO v_lease FROM runs_lease l WHERE l.run_id = p_run AND l.token = p_token FOR UPDATE;
  IF NOT FOUND THEN
    outcome := CASE WHEN EXISTS (SELECT 1 FROM runs_run WHERE id = p_run AND done_token = p_token)
                    THEN 'waiting' ELSE 'lost' END;
    RETURN NEXT;
    RETURN;
  END IF;
  v_now := clock_timestamp();
  INSERT INTO runs_journal SELECT * FROM json_populate_recordset(NULL::runs_journal, p_entries)
  ON CONFLICT DO NOTHING;

  IF v_due <= v_now OR (p_one AND cardinality(v_open) < cardinality(v_targets))
     OR (v_due IS NULL AND coalesce(cardinality(v_open), 0) = 0) THEN
    PERFORM trackside_count_segment(p_run, v_lease.attempt, coalesce(v_lease.started_at, v_lease.claimed_at), v_now);
    UPDATE runs_lease l SET started_at = v_now WHERE l.run_id = p_run;
    outcome := 'ready';
    RETURN NEXT;
    RETURN;
  END IF;

  IF EXISTS (SELECT 1 FROM runs_run WHERE id = p_run AND cancel_requested_at IS NOT NULL FOR NO KEY UPDATE) THEN
    PERFORM trackside_end(p_run, p_token, 'CANCELED', 'CANCELED', 'canceled', NULL, NULL, NULL, '', 0, false);
    outcome := 'canceled';
  ELSE
    DELETE FROM runs_lease l WHERE l.run_id = p_run;
    PERFORM trackside_count_segment(p_run, v_lease.attempt, coalesce(v_lease.started_at, v_lease.claimed_at), v_now);
    UPDATE runs_run SET status = 'WAITING', reason = p_reason, done_token = p_token, updated_at = v_now
     WHERE id = p_run;
    INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane, resumed)
    SELECT p_run, v_lease.bucket_id, sort_key, coalesce(v_due, '9999-01-01 00:00:00+00'), lane,
           EXISTS (SELECT 1 FROM runs_queue q WHERE q.id = v_lease.queue_id AND q.rate_interval IS NOT NULL)
      FROM runs_run WHERE id = p_run;
    INSERT INTO runs_waiter (target, run_id, one_suffices) SELECT id, p_run, p_one FROM unnest(v_open) AS id;
    INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
    VALUES (p_run, 'waiting', 'WAITING', v_lease.attempt, 'session:' || v_lease.session_id, p_reason, '', v_now);
    outcome := 'waiting';
  END IF;

  work := trackside_next(v_lease.bucket_id, v_lease.queue_id, v_lease.session_id, p_next, p_pid, p_version);
  RETURN NEXT;
END $$;

-- Lock runs and tokens that somebody is about to wait for; those that have not ended.
CREATE OR REPLACE FUNCTION trackside_hold(p_targets text[]) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
  IF p_targets IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM 1 FROM runs_waitpoint WHERE id = ANY (p_targets) ORDER BY id FOR SHARE;
  PERFORM 1 FROM runs_run WHERE id = ANY (p_targets) ORDER BY id FOR NO KEY UPDATE;
  UPDATE runs_run SET awaited = true WHERE id = ANY (p_targets) AND NOT awaited AND finished_at IS NULL;
  RETURN ARRAY(SELECT id FROM runs_waitpoint WHERE id = ANY (p_targets) AND status = 'WAITING'
               UNION ALL
               SELECT id FROM runs_run WHERE id = ANY (p_targets) AND finished_at IS NULL);
END $$;

-- Executing time of a segment: to the run and to its attempt, of which the next segment is part too.
CREATE OR REPLACE FUNCTION trackside_count_segment(p_run text, p_attempt integer, p_from timestamptz, p_to timestamptz)
RETURNS void LANGUAGE sql AS $$
  UPDATE runs_run
     SET usage_ms = usage_ms + (extract(epoch FROM p_to - p_from) * 1000)::bigint,
         attempt_ms = CASE WHEN waited_attempt = p_attempt THEN attempt_ms ELSE 0 END
                      + (extract(epoch FROM p_to - p_from) * 1000)::bigint,
         waited_attempt = p_attempt
   WHERE id = p_run
$$;

-- A run or token ended and its row is locked: the runs that wait for nothing else go on. Two wakers of one run meet
-- at its ready row, so that one of them sees that nothing is left. A run without one was canceled meanwhile.
CREATE OR REPLACE FUNCTION trackside_wake(p_target text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_run text;
  v_one boolean;
BEGIN
  FOR v_run IN SELECT run_id FROM runs_waiter WHERE target = p_target ORDER BY run_id LOOP
    PERFORM 1 FROM runs_ready WHERE run_id = v_run FOR UPDATE;
    DELETE FROM runs_waiter WHERE target = p_target AND run_id = v_run RETURNING one_suffices INTO v_one;
    CONTINUE WHEN NOT FOUND OR (NOT v_one AND EXISTS (SELECT 1 FROM runs_waiter WHERE run_id = v_run));
    PERFORM trackside_resume(v_run);
  END LOOP;
END $$;

-- A wait is over: WAITING to QUEUED, for another segment of the same attempt. Ready row first, as everybody does.
-- A run that was held before its start stays what it is, and its delay, if it has one, counts from now on.
CREATE OR REPLACE FUNCTION trackside_resume(p_run text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_attempt integer;
BEGIN
  UPDATE runs_ready SET not_before = (SELECT delay_until FROM runs_run WHERE id = p_run AND status = 'DELAYED')
   WHERE run_id = p_run;
  DELETE FROM runs_waiter WHERE run_id = p_run;
  UPDATE runs_run SET status = 'QUEUED', reason = '', attempt_number = attempt_number - 1, updated_at = v_now
   WHERE id = p_run AND status = 'WAITING' RETURNING waited_attempt INTO v_attempt;
  IF FOUND THEN
    INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
    VALUES (p_run, 'resumed', 'QUEUED', v_attempt, 'system', '', '', v_now);
  END IF;
END $$;

-- Remember what a body did, if it still holds the lease; false when it does not. The first write of a key stays.
CREATE OR REPLACE FUNCTION trackside_record(p_run text, p_token text, p_entries json) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM runs_lease WHERE run_id = p_run AND token = p_token FOR KEY SHARE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO runs_journal SELECT * FROM json_populate_recordset(NULL::runs_journal, p_entries)
  ON CONFLICT DO NOTHING;
  RETURN true;
END $$;

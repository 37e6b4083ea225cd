-- Whoever deletes the lease by (run, token) owns the transition. Ends the attempt and moves the run to p_status;
-- QUEUED means another try p_delay seconds from now. A run that was asked to cancel becomes CANCELED whatever
-- the answer was. Returns the lease's bucket, queue and session, or nothing when the lease was lost.
--   p_uncounted: 1 when this attempt is not to count as a try    p_crashed: the process or the cluster was lost
--   p_machine: the preset from now on, NULL for the one it had
--   p_lane: the lane of that preset, where its runs are heavy; NULL for the one it had
--   p_mark: what the error has in common with others (runs/fingerprints.py); empty where none is to be counted
--   p_hooked: the final hooks for p_status were called already, so the ending leaves none owed
DROP FUNCTION IF EXISTS trackside_end;
CREATE FUNCTION trackside_end(
  p_run text, p_token text, p_status text, p_attempt_status text, p_kind text, p_output text, p_error text,
  p_delay double precision, p_reason text, p_uncounted integer, p_crashed boolean, p_machine text DEFAULT NULL,
  p_hooked boolean DEFAULT false, p_lane integer DEFAULT NULL, p_mark text DEFAULT '')
RETURNS TABLE (bucket_id bigint, queue_id bigint, session_id text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_lease runs_lease%ROWTYPE;
  v_now timestamptz := clock_timestamp();
  v_due timestamptz := v_now + make_interval(secs => p_delay);
  v_retry boolean := p_status IN ('QUEUED', 'PENDING_VERSION');
  v_canceled boolean;
  v_sort bigint;
  v_lane smallint;
  v_key text;
  v_task text;
  v_version text;
BEGIN
  DELETE FROM runs_lease WHERE run_id = p_run AND token = p_token RETURNING * INTO v_lease;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  UPDATE runs_run
     SET status = CASE WHEN cancel_requested_at IS NULL THEN p_status ELSE 'CANCELED' END,
         finished_at = CASE WHEN v_retry AND cancel_requested_at IS NULL THEN NULL ELSE v_now END,
         output = CASE WHEN cancel_requested_at IS NULL THEN p_output END,
         error = coalesce(p_error, error),
         reason = CASE WHEN cancel_requested_at IS NULL THEN p_reason ELSE reason END,
         retry_at = CASE WHEN v_retry AND cancel_requested_at IS NULL THEN v_due END,
         uncounted_attempts = uncounted_attempts + p_uncounted,
         crash_count = crash_count + CASE WHEN p_crashed THEN 1 ELSE 0 END,
         machine = coalesce(p_machine, machine), lane = coalesce(p_lane, lane),
         usage_ms = usage_ms + coalesce((extract(epoch FROM v_now - v_lease.started_at) * 1000)::bigint, 0),
         done_token = p_token, updated_at = v_now
   WHERE id = p_run
  RETURNING cancel_requested_at IS NOT NULL, sort_key, lane, idempotency_key, task_id, version
   INTO v_canceled, v_sort, v_lane, v_key, v_task, v_version;
  IF p_hooked AND (NOT v_canceled OR p_status = 'CANCELED') THEN
    DELETE FROM runs_finalhooks WHERE run_id = p_run;
  END IF;
  IF v_canceled THEN
    p_status := 'CANCELED'; p_kind := 'canceled'; p_attempt_status := 'CANCELED'; v_retry := false;
  END IF;

  IF v_lease.started_at IS NOT NULL THEN
    INSERT INTO runs_attempt (run_id, number, status, session_id, pid, started_at, finished_at, error, retry_at)
    VALUES (p_run, v_lease.attempt, p_attempt_status, v_lease.session_id, v_lease.pid, v_lease.started_at, v_now,
            p_error, CASE WHEN v_retry THEN coalesce(v_due, v_now) END);
  END IF;
  INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
  VALUES (p_run, p_kind, p_status, v_lease.attempt, 'session:' || v_lease.session_id, p_reason,
          CASE WHEN v_retry AND p_delay > 0 THEN json_build_object('delay', p_delay)::text ELSE '' END, v_now);

  IF p_mark <> '' AND NOT v_canceled THEN
    PERFORM trackside_failed(p_run, v_lease.attempt, p_mark, v_task, v_version, NOT v_retry, v_now);
  END IF;

  IF p_status = 'QUEUED' THEN
    INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane)
    VALUES (p_run, v_lease.bucket_id, v_sort, CASE WHEN p_delay > 0 THEN v_due END, v_lane);
  ELSIF v_key IS NOT NULL AND p_status NOT IN ('COMPLETED', 'CANCELED', 'PENDING_VERSION') THEN
    DELETE FROM runs_idempotency WHERE run_id = p_run AND task_id <> '';
  END IF;
  RETURN QUERY SELECT v_lease.bucket_id, v_lease.queue_id, v_lease.session_id::text;
END $$;

-- Give slots back: a bucket or queue that was passed over for being full may be looked at again, unless its rate has
-- closed it. The row locks make the flag's writers take turns, so no claim can set it on a count that is about to
-- change. The queues' own locks, then queues, then buckets, each by id: see runs/lifecycle/store/__init__.py.
CREATE OR REPLACE FUNCTION trackside_release(p_buckets bigint[], p_queues bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM CASE WHEN q.alone THEN pg_advisory_xact_lock(29299, q.number)
               ELSE pg_advisory_xact_lock_shared(29299, q.number) END
     FROM (SELECT (id % 2147483648)::integer AS number, coalesce(override_total, total_limit) IS NOT NULL AS alone
             FROM runs_queue
            WHERE id = ANY (p_queues) AND (
              override_total IS NOT NULL OR total_limit IS NOT NULL OR override_limit IS NOT NULL
              OR concurrency_limit IS NOT NULL)
            ORDER BY id) q;
  IF NOT FOUND THEN
    RETURN;  -- an update of no row costs more than this look
  END IF;
  UPDATE runs_queue SET "full" = false WHERE id IN (
    SELECT id FROM runs_queue WHERE id = ANY (p_queues) AND coalesce(override_total, total_limit) IS NOT NULL
     ORDER BY id FOR NO KEY UPDATE);
  UPDATE runs_bucket SET "full" = opens_at IS NOT NULL WHERE id IN (
    SELECT b.id FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
     WHERE b.id = ANY (p_buckets) AND coalesce(q.override_limit, q.concurrency_limit) IS NOT NULL
     ORDER BY b.id FOR NO KEY UPDATE OF b);
END $$;

-- End an attempt and, where asked and allowed, take the next run in the same statement: see trackside_next.
-- `won`: whether this end counts (true also when an earlier try of the same write won, false for a lost lease).
DROP FUNCTION IF EXISTS trackside_finish;
CREATE FUNCTION trackside_finish(
  p_run text, p_token text, p_status text, p_attempt_status text, p_kind text, p_output text, p_error text,
  p_delay double precision, p_reason text, p_uncounted integer, p_crashed boolean, p_next integer, p_pid integer,
  p_machine text, p_hooked boolean, p_version text DEFAULT '',
  p_lane integer DEFAULT NULL, p_mark text DEFAULT '')
RETURNS TABLE (won boolean, work trackside_assigned) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_bucket bigint;
  v_queue bigint;
  v_session text;
BEGIN
  SELECT bucket_id, queue_id, session_id INTO v_bucket, v_queue, v_session
    FROM trackside_end(p_run, p_token, p_status, p_attempt_status, p_kind, p_output, p_error, p_delay, p_reason,
                       p_uncounted, p_crashed, p_machine, p_hooked, p_lane, p_mark);
  won := v_bucket IS NOT NULL OR EXISTS (SELECT 1 FROM runs_run WHERE id = p_run AND done_token = p_token);
  IF v_bucket IS NOT NULL THEN
    work := trackside_next(v_bucket, v_queue, v_session, p_next, p_pid, p_version);
  ELSIF won AND p_next > 0 THEN
    SELECT a.* INTO work FROM trackside_held(p_run, p_pid) a LIMIT 1;
  END IF;
  RETURN NEXT;
END $$;

-- The commonest move of all, in one statement: a body returned, and its slot goes to the next run of the bucket.
-- Does what trackside_end and trackside_take do one after the other; a statement costs more to begin than to
-- execute, so a dozen of them became one. No row: the lease was lost. `lapsed` is the head of the bucket when
-- its time to live had passed: it is out of the ready rows and still has to be expired.
CREATE OR REPLACE FUNCTION trackside_hand_over(p_run text, p_token text, p_output text, p_pid integer)
RETURNS TABLE (bucket_id bigint, queue_id bigint, session_id text, next_run text, lapsed text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY WITH lease AS (
    DELETE FROM runs_lease WHERE run_id = p_run AND token = p_token
    RETURNING bucket_id, queue_id, session_id, attempt, clock_timestamp() AS at
  ), run AS (
    UPDATE runs_run r
       SET status = CASE WHEN r.cancel_requested_at IS NULL THEN 'COMPLETED' ELSE 'CANCELED' END,
           output = CASE WHEN r.cancel_requested_at IS NULL THEN p_output END,
           reason = CASE WHEN r.cancel_requested_at IS NULL THEN '' ELSE r.reason END,
           finished_at = lease.at, updated_at = lease.at, done_token = p_token,
           usage_ms = r.usage_ms + coalesce((
             SELECT (extract(epoch FROM lease.at - a.segment_started_at) * 1000)::bigint
               FROM runs_attempt a WHERE a.run_id = p_run AND a.number = lease.attempt), 0)
      FROM lease WHERE r.id = p_run
    RETURNING r.status
  ), ended AS (
    UPDATE runs_attempt a SET status = run.status, finished_at = lease.at
      FROM lease, run WHERE a.run_id = p_run AND a.number = lease.attempt AND a.status = 'EXECUTING'
  ), room AS (
    SELECT lease.bucket_id FROM lease
      JOIN runs_queue q ON q.id = lease.queue_id
      JOIN runs_workersession s ON s.id = lease.session_id
     WHERE s.state = 'ALIVE' AND NOT s.draining AND NOT q.paused
       -- these count before the delete above shows: our own lease is among them
       AND (coalesce(q.override_limit, q.concurrency_limit) IS NULL
            OR (SELECT count(*) FROM runs_lease l WHERE l.bucket_id = lease.bucket_id)
               <= coalesce(q.override_limit, q.concurrency_limit))
       AND (q.total_limit IS NULL
            OR (SELECT count(*) FROM runs_lease l WHERE l.queue_id = lease.queue_id) <= q.total_limit)
  ), head AS (
    DELETE FROM runs_ready WHERE run_id = (
      SELECT run_id FROM runs_ready
       WHERE bucket_id = (SELECT bucket_id FROM room) AND not_before IS NULL
       ORDER BY sort_key, run_id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING run_id
  ), following AS (
    UPDATE runs_run r
       SET status = 'EXECUTING', attempt_number = r.attempt_number + 1, reason = '', retry_at = NULL,
           started_at = coalesce(r.started_at, lease.at), executed_at = coalesce(r.executed_at, lease.at),
           updated_at = lease.at
      FROM head, lease
     WHERE r.id = head.run_id AND r.status = 'QUEUED'
       AND (r.expires_at IS NULL OR r.expires_at > lease.at OR r.started_at IS NOT NULL)
    RETURNING r.id, r.attempt_number
  ), leased AS (
    INSERT INTO runs_lease (run_id, bucket_id, queue_id, session_id, attempt, token, claimed_at)
    SELECT n.id, lease.bucket_id, lease.queue_id, lease.session_id, n.attempt_number, gen_random_uuid()::text,
           lease.at
      FROM following n, lease
  ), begun AS (
    INSERT INTO runs_attempt (run_id, number, status, session_id, pid, started_at, segment_started_at, segments)
    SELECT n.id, n.attempt_number, 'EXECUTING', lease.session_id, p_pid, lease.at, lease.at, '[]'
      FROM following n, lease
  ), told AS (
    INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
    SELECT p_run, lower(run.status), run.status, lease.attempt, 'session:' || lease.session_id, '', '', lease.at
      FROM lease, run
    UNION ALL
    SELECT n.id, 'started', 'EXECUTING', n.attempt_number, 'session:' || lease.session_id, '', '', lease.at
      FROM following n, lease
  )
  SELECT lease.bucket_id, lease.queue_id, lease.session_id::text, following.id::text,
         CASE WHEN following.id IS NULL THEN head.run_id::text END
    FROM lease LEFT JOIN head ON true LEFT JOIN following ON true;
END $$;

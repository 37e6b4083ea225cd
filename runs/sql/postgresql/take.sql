-- Everything a worker needs to execute a run it holds the lease of. begun: its start is recorded. retaken: it was
-- claimed before, and given back or lost.
DROP TYPE IF EXISTS trackside_assigned CASCADE;
CREATE TYPE trackside_assigned AS (
  run_id text, task_id text, token text, attempt integer, payload text, tags text, is_test boolean, queue text,
  concurrency_key text, priority double precision, max_attempts integer, uncounted_attempts integer,
  max_duration double precision, machine text, version text, created_at timestamptz, started_at timestamptz,
  parent_id text, root_id text, replayed_from_id text, idempotency_key text, idempotency_scope text, metadata text,
  traceparent text, tracestate text, batch_id text, resumed boolean, begun boolean, retaken boolean);

CREATE OR REPLACE FUNCTION trackside_assignment(p_run text) RETURNS SETOF trackside_assigned
LANGUAGE sql STABLE AS $$
  SELECT r.id, r.task_id, l.token, l.attempt, r.payload, r.tags, r.is_test, r.queue, r.concurrency_key, r.priority,
         r.max_attempts, r.uncounted_attempts, r.max_duration, r.machine, r.version, r.created_at, r.started_at,
         r.parent_id, r.root_id, r.replayed_from_id, r.idempotency_key, r.idempotency_scope, r.metadata,
         r.traceparent, r.tracestate, r.batch_id, r.waited_attempt = l.attempt, l.started_at IS NOT NULL, r.started_at < l.claimed_at
    FROM runs_lease l JOIN runs_run r ON r.id = l.run_id WHERE l.run_id = p_run
$$;

-- Which lanes the connection's worker executes: its setting trackside.lane, all where it has none.
CREATE OR REPLACE FUNCTION trackside_lanes() RETURNS smallint[] LANGUAGE plpgsql STABLE AS $$
BEGIN
  CASE current_setting('trackside.lane', true)
    WHEN '0' THEN RETURN '{0}';
    WHEN '1' THEN RETURN '{1}';
    ELSE RETURN '{0,1}';
  END CASE;
END $$;

-- The lane to take from next in a bucket. Of two the one whose head comes first: asked for both at once, the index
-- would have to be sorted.
CREATE OR REPLACE FUNCTION trackside_lane(p_bucket bigint) RETURNS smallint LANGUAGE plpgsql STABLE AS $$
BEGIN
  CASE current_setting('trackside.lane', true)
    WHEN '0' THEN RETURN 0;
    WHEN '1' THEN RETURN 1;
    ELSE RETURN coalesce((
      SELECT l.lane
        FROM (VALUES (0::smallint), (1::smallint)) AS l (lane)
       CROSS JOIN LATERAL (
         SELECT sort_key, run_id FROM runs_ready r
          WHERE r.bucket_id = p_bucket AND r.lane = l.lane AND r.not_before IS NULL
          ORDER BY sort_key, run_id LIMIT 1) head
       ORDER BY head.sort_key, head.run_id LIMIT 1), 0);
  END CASE;
END $$;

-- Take the head of one bucket for a session: ready row out, lease in, run DEQUEUED or (p_start) EXECUTING.
-- The caller has made sure of room: it holds the bucket's lock and counted, or hands over its own lease.
-- Runs whose time to live passed before their first start are expired on the way. NULL when nothing is left.
--   p_resumed: only what goes on after a wait
CREATE OR REPLACE FUNCTION trackside_take(p_bucket bigint, p_queue bigint, p_session text, p_start boolean,
                                          p_pid integer, p_resumed boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_run text;
  v_attempt integer;
  v_now timestamptz;
  v_lane smallint;
BEGIN
  LOOP
    IF p_resumed THEN
      DELETE FROM runs_ready WHERE run_id = (
        SELECT run_id FROM runs_ready WHERE bucket_id = p_bucket AND lane = ANY (trackside_lanes()) AND not_before IS NULL AND resumed
         ORDER BY sort_key, run_id LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING run_id INTO v_run;
    ELSE
      v_lane := trackside_lane(p_bucket);
      DELETE FROM runs_ready WHERE run_id = (
        SELECT run_id FROM runs_ready WHERE bucket_id = p_bucket AND lane = v_lane AND not_before IS NULL
         ORDER BY sort_key, run_id LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING run_id INTO v_run;
    END IF;
    IF v_run IS NULL THEN
      RETURN NULL;
    END IF;
    v_now := clock_timestamp();

    UPDATE runs_run
       SET status = CASE WHEN p_start THEN 'EXECUTING' ELSE 'DEQUEUED' END,
           attempt_number = attempt_number + CASE WHEN p_start THEN 1 ELSE 0 END,
           started_at = coalesce(started_at, v_now),
           executed_at = CASE WHEN p_start THEN coalesce(executed_at, v_now) ELSE executed_at END,
           reason = '', retry_at = NULL, updated_at = v_now
     WHERE id = v_run AND status = 'QUEUED'
       AND (expires_at IS NULL OR expires_at > v_now OR started_at IS NOT NULL)
    RETURNING attempt_number + CASE WHEN p_start THEN 0 ELSE 1 END INTO v_attempt;

    IF FOUND THEN
      INSERT INTO runs_lease (run_id, bucket_id, queue_id, session_id, attempt, token, claimed_at, pid, started_at)
      VALUES (v_run, p_bucket, p_queue, p_session, v_attempt, gen_random_uuid()::text, v_now, p_pid,
              CASE WHEN p_start THEN v_now END);
      INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
      VALUES (v_run, CASE WHEN p_start THEN 'started' ELSE 'dequeued' END,
              CASE WHEN p_start THEN 'EXECUTING' ELSE 'DEQUEUED' END, v_attempt, 'session:' || p_session, '', '',
              v_now);
      RETURN v_run;
    END IF;
    PERFORM trackside_expire(v_run);
  END LOOP;
END $$;

-- A queued run whose time to live passed before its first start. The ready row is gone already.
CREATE OR REPLACE FUNCTION trackside_expire(p_run text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
BEGIN
  UPDATE runs_run SET status = 'EXPIRED', finished_at = v_now, updated_at = v_now,
         reason = 'Its time to live passed before a worker could start it.'
   WHERE id = p_run AND status = 'QUEUED' AND started_at IS NULL AND expires_at <= v_now;
  IF FOUND THEN
    DELETE FROM runs_idempotency WHERE run_id = p_run AND task_id <> '';
    INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
    VALUES (p_run, 'expired', 'EXPIRED', 0, 'system', '', '', v_now);
  END IF;
END $$;

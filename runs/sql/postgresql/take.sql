-- Everything a worker needs to execute a run it holds the lease of. begun: its start is recorded. retaken: it was
-- claimed before, and given back or lost.
DROP TYPE IF EXISTS trackside_assigned CASCADE;
CREATE TYPE trackside_assigned AS (
  run_id text, task_id text, token text, attempt integer, payload text, tags text, is_test boolean, queue text,
  concurrency_key text, priority double precision, max_attempts integer, uncounted_attempts integer,
  max_duration double precision, machine text, version text, created_at timestamptz, started_at timestamptz,
  parent_id text, root_id text, replayed_from_id text, idempotency_key text, idempotency_scope text, metadata text,
  traceparent text, tracestate text, batch_id text, resumed boolean, begun boolean, retaken boolean);

-- The code that is to execute what is taken: its version, the tasks that others have and it has not (see the model),
-- the pins it looks at: its version's only when anything is pinned to it; and the lanes: the connection's setting
-- trackside.lane, without one that of event loops only when anything is due in it.
DROP TYPE IF EXISTS trackside_code CASCADE;
CREATE TYPE trackside_code AS (version text, lacking text, pins text[], lanes smallint[]);

-- That of a living session; NULL when it is to take nothing, or is said to run p_version and no longer does. What is
-- pinned is always claimable: not asking for that leaves the planner no other index.
CREATE OR REPLACE FUNCTION trackside_code_of(p_session text, p_version text DEFAULT '') RETURNS trackside_code
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_code trackside_code;
BEGIN
  SELECT s.version, s.lacking,
         CASE WHEN EXISTS (SELECT 1 FROM runs_ready r WHERE r.pin > '' AND r.pin = s.version)
         THEN ARRAY['', s.version::text] ELSE ARRAY[''] END,
         CASE current_setting('trackside.lane', true) WHEN '0' THEN '{0}'::smallint[] WHEN '1' THEN '{1}' ELSE
         CASE WHEN EXISTS (SELECT 1 FROM runs_ready r WHERE r.lane = 1 AND r.not_before IS NULL)
         THEN '{0,1}'::smallint[] ELSE '{0}' END END
    INTO v_code
    FROM runs_workersession s
   WHERE s.id = p_session AND s.state = 'ALIVE' AND NOT s.draining AND p_version IN ('', s.version);
  RETURN v_code;
END $$;

CREATE OR REPLACE FUNCTION trackside_assignment(p_run text) RETURNS SETOF trackside_assigned
LANGUAGE sql STABLE AS $$
  SELECT r.id, r.task_id, l.token, l.attempt, r.payload, r.tags, r.is_test, r.queue, r.concurrency_key, r.priority,
         r.max_attempts, r.uncounted_attempts, r.max_duration, r.machine, r.version, r.created_at, r.started_at,
         r.parent_id, r.root_id, r.replayed_from_id, r.idempotency_key, r.idempotency_scope, r.metadata,
         r.traceparent, r.tracestate, r.batch_id, r.waited_attempt = l.attempt, l.started_at IS NOT NULL, r.started_at < l.claimed_at
    FROM runs_lease l JOIN runs_run r ON r.id = l.run_id WHERE l.run_id = p_run
$$;

-- Take the head of one bucket for a session: ready row out, lease in, run DEQUEUED or (p_start) EXECUTING.
-- The caller has made sure of room: it holds the bucket's lock and counted, or hands over its own lease.
-- Runs whose time to live passed before their first start are expired on the way, those the code must not execute
-- are put back. NULL when nothing is left.
--   p_resumed: only what goes on after a wait
CREATE OR REPLACE FUNCTION trackside_take(p_bucket bigint, p_queue bigint, p_session text, p_start boolean,
                                          p_pid integer, p_code trackside_code, p_resumed boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_run text;
  v_attempt integer;
  v_now timestamptz;
  v_lane smallint := p_code.lanes[1];
  v_pin text := '';
BEGIN
  FOR i IN 1..100 LOOP  -- what is left is for the next claim: this one holds locks
    IF p_resumed THEN
      DELETE FROM runs_ready WHERE run_id = (
        SELECT run_id FROM runs_ready
         WHERE bucket_id = p_bucket AND not_before IS NULL AND resumed AND lane = ANY (p_code.lanes)
           AND pin = ANY (p_code.pins)
         ORDER BY sort_key, run_id LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING run_id, pin INTO v_run, v_pin;
    ELSE
      IF cardinality(p_code.pins) + cardinality(p_code.lanes) > 2 THEN
        SELECT t.lane, t.pin INTO v_lane, v_pin FROM trackside_turn_of(p_bucket, p_code) t;
      END IF;
      DELETE FROM runs_ready WHERE run_id = (
        SELECT run_id FROM runs_ready WHERE bucket_id = p_bucket AND lane = v_lane AND pin = v_pin AND not_before IS NULL
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
           reason = '', retry_at = NULL, updated_at = v_now,
           version = CASE WHEN p_start AND version = '' THEN p_code.version ELSE version END
     WHERE id = v_run AND status = 'QUEUED'
       AND (version = '' OR version = p_code.version OR p_code.version = '')
       AND (p_code.lacking = '' OR strpos(p_code.lacking, E'\n' || task_id || E'\n') = 0)
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
    PERFORM trackside_refuse(v_run, p_bucket, v_pin <> '');
  END LOOP;
  RETURN NULL;
END $$;

-- Whose turn it is in a bucket: lane and pin of the head that comes first, no row when there is none. Asked for all
-- at once, the index would have to be sorted.
CREATE OR REPLACE FUNCTION trackside_turn_of(p_bucket bigint, p_code trackside_code)
RETURNS TABLE (lane smallint, pin text) LANGUAGE sql STABLE AS $$
  SELECT l.lane, p.pin
    FROM unnest(p_code.lanes) AS l (lane) CROSS JOIN unnest(p_code.pins) AS p (pin)
   CROSS JOIN LATERAL (
     SELECT sort_key, run_id FROM runs_ready r
      WHERE r.bucket_id = p_bucket AND r.lane = l.lane AND r.pin = p.pin AND r.not_before IS NULL
      ORDER BY sort_key, run_id LIMIT 1) head
   ORDER BY head.sort_key, head.run_id LIMIT 1
$$;

-- A run whose ready row was taken and that was not to be had: expired, or back as due if it is for other code, so
-- that promotion finds out for whose (runs.lifecycle.versions). One that was pinned here is looked at again after a
-- second only, lest the two contradict each other without end.
CREATE OR REPLACE FUNCTION trackside_refuse(p_run text, p_bucket bigint, p_pinned boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM trackside_expire(p_run);
  INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane, resumed)
  SELECT id, p_bucket, sort_key, clock_timestamp() + CASE WHEN p_pinned THEN interval '1 s' ELSE interval '0' END, lane,
         waited_attempt = attempt_number + 1
    FROM runs_run WHERE id = p_run AND status = 'QUEUED';
END $$;

-- A queued run whose time to live passed before its first start. The ready row is gone already.
CREATE OR REPLACE FUNCTION trackside_expire(p_run text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_task text;
  v_version text;
BEGIN
  UPDATE runs_run SET status = 'EXPIRED', finished_at = v_now, updated_at = v_now,
         reason = 'Its time to live passed before a worker could start it.'
   WHERE id = p_run AND status = 'QUEUED' AND started_at IS NULL AND expires_at <= v_now
  RETURNING task_id, version INTO v_task, v_version;
  IF FOUND THEN
    PERFORM trackside_failed(p_run, 0, 'expired', v_task, v_version, true, v_now);
    DELETE FROM runs_idempotency WHERE run_id = p_run AND task_id <> '';
    INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
    VALUES (p_run, 'expired', 'EXPIRED', 0, 'system', '', '', v_now);
  END IF;
END $$;

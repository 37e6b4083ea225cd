-- One run from the least recently served bucket that has room, or NULL.
-- Every lock is SKIP LOCKED, and a queue that has limits is passed over while its own lock is taken: a claim waits for
-- nobody (see runs/lifecycle/store/__init__.py). The bucket's row lock is taken before its leases are counted, each
-- in a statement (and so a snapshot) of its own: the count is exact.
CREATE OR REPLACE FUNCTION trackside_claim_one(p_session text, p_start boolean, p_pid integer, p_code trackside_code)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  v_bucket bigint;
  v_queue bigint;
  v_limit integer;
  v_total integer;
  v_held integer;
  v_interval bigint;
  v_burst integer;
  v_run text;
  v_resumed boolean;
  v_passed bigint[] := '{}';
BEGIN
  LOOP
    SELECT b.id, b.queue_id INTO v_bucket, v_queue
      FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
     WHERE NOT b."full" AND NOT q.paused AND NOT q."full" AND b.id <> ALL (v_passed)
       AND (SELECT 1 FROM runs_ready r  -- not EXISTS, which may be planned as a join that reads the whole backlog
             WHERE r.bucket_id = b.id AND r.lane = ANY (p_code.lanes) AND r.pin = ANY (p_code.pins)
               AND r.not_before IS NULL LIMIT 1) IS NOT NULL
     ORDER BY b.served LIMIT 1 FOR NO KEY UPDATE OF b SKIP LOCKED;
    IF NOT FOUND THEN  -- a rate that has closed a bucket does not hold up what goes on after a wait
      SELECT b.id, b.queue_id INTO v_bucket, v_queue
        FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
       WHERE b.opens_at IS NOT NULL AND NOT q.paused AND NOT q."full" AND b.id <> ALL (v_passed)
         AND b.id IN (SELECT r.bucket_id FROM runs_ready r
                       WHERE r.not_before IS NULL AND r.resumed AND r.lane = ANY (p_code.lanes)
                         AND r.pin = ANY (p_code.pins) LIMIT 1000)
       LIMIT 1 FOR NO KEY UPDATE OF b SKIP LOCKED;
    END IF;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    v_passed := v_passed || v_bucket;

    SELECT CASE WHEN paused THEN 0 ELSE coalesce(override_limit, concurrency_limit) END,
           coalesce(override_total, total_limit), rate_interval, rate_burst
      INTO v_limit, v_total, v_interval, v_burst FROM runs_queue WHERE id = v_queue;
    IF v_total IS NOT NULL THEN
      CONTINUE WHEN NOT pg_try_advisory_xact_lock(29299, (v_queue % 2147483648)::integer);
      PERFORM 1 FROM runs_queue WHERE id = v_queue FOR NO KEY UPDATE SKIP LOCKED;
      CONTINUE WHEN NOT FOUND;
      SELECT count(*) INTO v_held FROM runs_lease WHERE queue_id = v_queue;
      IF v_held >= v_total THEN
        UPDATE runs_queue SET "full" = true WHERE id = v_queue;
        CONTINUE;
      END IF;
    END IF;
    IF v_limit IS NOT NULL THEN
      CONTINUE WHEN v_total IS NULL
                AND NOT pg_try_advisory_xact_lock_shared(29299, (v_queue % 2147483648)::integer);
      SELECT count(*) INTO v_held FROM runs_lease WHERE bucket_id = v_bucket;
      IF v_held >= v_limit THEN
        UPDATE runs_bucket SET "full" = true, opens_at = NULL WHERE id = v_bucket;
        CONTINUE;
      END IF;
    END IF;

    v_resumed := false;
    IF v_interval IS NOT NULL THEN
      v_run := trackside_take(v_bucket, v_queue, p_session, p_start, p_pid, p_code, true);
      v_resumed := v_run IS NOT NULL;
      CONTINUE WHEN NOT v_resumed AND (NOT trackside_is_open(v_bucket, v_interval, v_burst)
                                       OR trackside_is_others(v_bucket, v_interval, v_burst, p_code));
    END IF;
    IF NOT v_resumed THEN
      v_run := trackside_take(v_bucket, v_queue, p_session, p_start, p_pid, p_code);
      CONTINUE WHEN v_run IS NULL;
    END IF;
    UPDATE runs_bucket
       SET served = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
           "full" = coalesce(v_held + 1 >= v_limit, false)
     WHERE id = v_bucket;
    IF v_interval IS NOT NULL AND NOT v_resumed THEN
      PERFORM trackside_count_start(v_bucket, v_interval, v_burst);
    END IF;
    RETURN v_run;
  END LOOP;
END $$;

-- Up to p_slots runs for a session, DEQUEUED, weighed where that is called for (capacity.sql). A session that is no longer alive gets none and is told so by
-- the single row (NULL, NULL, NULL): it has been reaped and must not go on.
CREATE OR REPLACE FUNCTION trackside_claim(p_session text, p_slots integer)
RETURNS TABLE (run_id text, token text, attempt integer) LANGUAGE plpgsql AS $$
DECLARE
  v_run text;
  v_code trackside_code;
  v_weighs boolean := trackside_weighs(p_session);
  v_late boolean;
  v_lanes smallint[];
  v_wanted smallint;
BEGIN
  IF v_weighs THEN
    SELECT false INTO v_late FROM runs_workersession WHERE id = p_session AND state = 'ALIVE' FOR UPDATE;
  ELSE
    SELECT weighing INTO v_late FROM runs_workersession WHERE id = p_session AND state = 'ALIVE' FOR KEY SHARE;
  END IF;
  IF NOT FOUND THEN
    RETURN QUERY SELECT NULL::text, NULL::text, NULL::integer;
    RETURN;
  END IF;
  IF v_late THEN
    RETURN;  -- a heavy run was claimed while the row was waited for
  END IF;
  v_code := trackside_code_of(p_session);
  v_lanes := v_code.lanes;
  FOR i IN 1..p_slots LOOP
    IF v_weighs THEN
      SELECT f.lanes, f.wanted INTO v_code.lanes, v_wanted FROM trackside_fitting(p_session, v_code, v_lanes) f;
      EXIT WHEN coalesce(cardinality(v_code.lanes), 0) = 0;
    END IF;
    v_run := trackside_claim_one(p_session, false, 0, v_code);
    EXIT WHEN v_run IS NULL;
    IF v_weighs THEN
      PERFORM trackside_weighed(p_session, v_run, v_wanted);
    END IF;
    RETURN QUERY SELECT l.run_id::text, l.token::text, l.attempt FROM runs_lease l WHERE l.run_id = v_run;
  END LOOP;
  IF v_weighs THEN
    PERFORM trackside_unweigh(p_session);
  END IF;
END $$;

-- The same for a worker that executes many at once: started, by p_pid. What follows in a bucket that nothing limits and
-- nobody else competes with is taken at once. It counts as one ordinary run, however many it has: weighed is the first.
CREATE OR REPLACE FUNCTION trackside_claim_started(p_session text, p_slots integer, p_pid integer, p_version text)
RETURNS SETOF trackside_assigned LANGUAGE plpgsql AS $$
DECLARE
  v_run text;
  v_code trackside_code;
  v_left integer := p_slots;
  v_taken integer;
  v_weighs boolean := trackside_weighs(p_session);
  v_late boolean;
BEGIN
  IF v_weighs THEN
    SELECT false INTO v_late FROM runs_workersession WHERE id = p_session AND state = 'ALIVE' FOR UPDATE;
  ELSE
    SELECT weighing INTO v_late FROM runs_workersession WHERE id = p_session AND state = 'ALIVE' FOR KEY SHARE;
  END IF;
  IF NOT FOUND THEN
    RETURN QUERY SELECT (NULL::trackside_assigned).*;
    RETURN;
  END IF;
  v_code := trackside_code_of(p_session, p_version);
  IF v_late OR (v_weighs AND v_code.lanes IS NOT NULL AND NOT trackside_has_room(p_session, p_pid, v_code)) THEN
    RETURN;
  END IF;
  WHILE v_left > 0 AND v_code.version IS NOT NULL LOOP
    v_run := trackside_claim_one(p_session, true, p_pid, v_code);
    EXIT WHEN v_run IS NULL;
    RETURN QUERY SELECT a.* FROM trackside_assignment(v_run) a;
    v_left := v_left - 1;
    IF v_left > 0 AND v_left = p_slots - 1 THEN
      RETURN QUERY SELECT a.* FROM runs_lease l
        CROSS JOIN LATERAL trackside_claim_rest(l.bucket_id, l.queue_id, p_session, v_left, p_pid, v_code) a
        WHERE l.run_id = v_run;
      GET DIAGNOSTICS v_taken = ROW_COUNT;
      v_left := v_left - v_taken;
    END IF;
  END LOOP;
END $$;

-- Up to p_most more runs of a bucket, started in a few statements for all; none where its queue has a limit or a rate,
-- or another bucket waits for its turn.
CREATE OR REPLACE FUNCTION trackside_claim_rest(p_bucket bigint, p_queue bigint, p_session text, p_most integer,
                                                p_pid integer, p_code trackside_code)
RETURNS SETOF trackside_assigned LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_runs text[];
  v_taken integer;
BEGIN
  IF cardinality(p_code.pins) > 1 OR cardinality(p_code.lanes) > 1 OR NOT EXISTS (
       SELECT 1 FROM runs_queue q WHERE q.id = p_queue AND NOT q.paused AND q.rate_interval IS NULL
          AND coalesce(q.override_total, q.total_limit) IS NULL
          AND coalesce(q.override_limit, q.concurrency_limit) IS NULL) OR EXISTS (
       SELECT 1 FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
        WHERE NOT b."full" AND NOT q.paused AND NOT q."full" AND b.id <> p_bucket
          AND (SELECT 1 FROM runs_ready r WHERE r.bucket_id = b.id AND r.lane = p_code.lanes[1] AND r.pin = ''
                AND r.not_before IS NULL LIMIT 1) IS NOT NULL) THEN
    RETURN;
  END IF;
  SELECT runs INTO v_runs FROM trackside_pick(p_bucket, p_queue, p_most, p_code.lanes[1]);
  IF v_runs IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH run AS (
    UPDATE runs_run
       SET status = 'EXECUTING', attempt_number = attempt_number + 1, started_at = coalesce(started_at, v_now),
           executed_at = coalesce(executed_at, v_now), reason = '', retry_at = NULL, updated_at = v_now,
           version = coalesce(nullif(version, ''), p_code.version)
     WHERE id = ANY (v_runs) AND status = 'QUEUED'
       AND (version = '' OR version = p_code.version OR p_code.version = '')
       AND (p_code.lacking = '' OR strpos(p_code.lacking, E'\n' || task_id || E'\n') = 0)
       AND (expires_at IS NULL OR expires_at > v_now OR started_at IS NOT NULL)
    RETURNING *),
  lease AS (
    INSERT INTO runs_lease (run_id, bucket_id, queue_id, session_id, attempt, token, claimed_at, pid, started_at)
    SELECT id, p_bucket, p_queue, p_session, attempt_number, gen_random_uuid()::text, v_now, p_pid, v_now FROM run
    RETURNING run_id, token, attempt),
  event AS (
    INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
    SELECT id, 'started', 'EXECUTING', attempt_number, 'session:' || p_session, '', '', v_now FROM run)
  SELECT r.id::text, r.task_id::text, l.token::text, l.attempt, r.payload, r.tags, r.is_test, r.queue::text,
         r.concurrency_key::text, r.priority, r.max_attempts, r.uncounted_attempts, r.max_duration, r.machine::text,
         r.version::text, r.created_at, r.started_at, r.parent_id::text, r.root_id::text, r.replayed_from_id::text,
         r.idempotency_key::text, r.idempotency_scope::text, r.metadata, r.traceparent::text, r.tracestate,
         r.batch_id::text, r.waited_attempt = l.attempt, true, r.started_at < v_now
    FROM run r JOIN lease l ON l.run_id = r.id ORDER BY r.sort_key, r.id;
  GET DIAGNOSTICS v_taken = ROW_COUNT;
  IF v_taken < cardinality(v_runs) THEN
    PERFORM trackside_refuse(id, p_bucket, false) FROM unnest(v_runs) AS id;
  END IF;
END $$;

-- Bodies that returned, as trackside_turn records them, and up to p_most runs for the session as
-- trackside_claim_started takes them, those that follow in the bucket of the first without a look for another where
-- there is none: one commit. First a row with nothing but the id for each run whose lease was lost.
CREATE OR REPLACE FUNCTION trackside_turn_over(
  p_runs text[], p_tokens text[], p_outputs text[], p_began double precision[], p_ended double precision[],
  p_session text, p_most integer, p_pid integer, p_version text)
RETURNS SETOF trackside_assigned LANGUAGE plpgsql AS $$
DECLARE
  v_bucket bigint;
  v_queue bigint;
  v_code trackside_code;
  v_taken integer := 0;
BEGIN
  SELECT bucket_id, queue_id INTO v_bucket, v_queue FROM runs_lease WHERE run_id = p_runs[1] AND token = p_tokens[1];
  RETURN QUERY SELECT a.* FROM trackside_turn(p_runs, p_tokens, p_outputs, p_began, p_ended, 0, 1, p_pid, p_version) a;
  IF p_most = 0 THEN
    RETURN;
  END IF;
  PERFORM 1 FROM runs_workersession WHERE id = p_session AND state = 'ALIVE' FOR KEY SHARE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  v_code := trackside_code_of(p_session, p_version);
  IF v_bucket IS NOT NULL AND v_code.version IS NOT NULL THEN
    RETURN QUERY SELECT a.* FROM trackside_claim_rest(v_bucket, v_queue, p_session, p_most, p_pid, v_code) a;
    GET DIAGNOSTICS v_taken = ROW_COUNT;
  END IF;
  IF v_taken < p_most THEN
    RETURN QUERY SELECT a.* FROM trackside_claim_started(p_session, p_most - v_taken, p_pid, p_version) a
                  WHERE a.run_id IS NOT NULL;
  END IF;
END $$;

-- What a process holds, in the order it was started.
CREATE OR REPLACE FUNCTION trackside_held_by(p_session text, p_pid integer) RETURNS SETOF trackside_assigned
LANGUAGE sql STABLE AS $$
  SELECT a.* FROM runs_lease l CROSS JOIN LATERAL trackside_assignment(l.run_id) a
   WHERE l.session_id = p_session AND l.pid = p_pid AND l.started_at IS NOT NULL
   ORDER BY l.started_at, l.run_id
$$;

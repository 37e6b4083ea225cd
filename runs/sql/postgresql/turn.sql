-- Where a worker that gave a slot back goes on: p_next 0 nowhere, 1 in the same bucket if it has room, else in any,
-- 2 in any. The run is started. NULL when there is none.
CREATE OR REPLACE FUNCTION trackside_next(p_bucket bigint, p_queue bigint, p_session text, p_next integer,
                                          p_pid integer)
RETURNS trackside_assigned LANGUAGE plpgsql AS $$
DECLARE
  v_run text;
  v_work trackside_assigned;
BEGIN
  IF p_next > 0 AND NOT EXISTS (
       SELECT 1 FROM runs_workersession WHERE id = p_session AND state = 'ALIVE' AND NOT draining) THEN
    p_next := 0;
  END IF;
  IF p_next = 1 AND EXISTS (
       SELECT 1 FROM runs_queue q WHERE q.id = p_queue AND NOT q.paused
          AND (coalesce(q.override_limit, q.concurrency_limit) IS NULL
               OR (SELECT count(*) FROM runs_lease l WHERE l.bucket_id = p_bucket)
                  < coalesce(q.override_limit, q.concurrency_limit))
          AND (q.total_limit IS NULL
               OR (SELECT count(*) FROM runs_lease l WHERE l.queue_id = p_queue) < q.total_limit)) THEN
    v_run := trackside_take(p_bucket, p_queue, p_session, true, p_pid);
  END IF;
  IF v_run IS NULL THEN
    PERFORM trackside_release(p_bucket, p_queue);
    IF p_next > 0 THEN
      v_run := trackside_claim_one(p_session, true, p_pid);
    END IF;
  END IF;
  SELECT a.* INTO v_work FROM trackside_assignment(v_run) a;
  RETURN v_work;
END $$;

-- What the worker process of a finished run took with a write whose answer it never got.
CREATE OR REPLACE FUNCTION trackside_held(p_run text, p_pid integer) RETURNS SETOF trackside_assigned
LANGUAGE sql STABLE AS $$
  SELECT a.*
    FROM runs_attempt done
    JOIN runs_lease l ON l.session_id = done.session_id AND l.pid = done.pid
    JOIN runs_run r ON r.id = l.run_id
   CROSS JOIN LATERAL trackside_assignment(l.run_id) a
   WHERE done.run_id = p_run AND done.pid = p_pid
   ORDER BY r.sort_key, r.id
$$;

-- Up to p_most runs of one bucket without a limit, DEQUEUED, for a worker that executes them one after the other.
-- Their starts are not recorded yet: that is done with their ends, or once one of them turns out to be long.
CREATE OR REPLACE FUNCTION trackside_take_many(p_bucket bigint, p_queue bigint, p_session text, p_most integer,
                                               p_pid integer)
RETURNS SETOF trackside_assigned LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_ready text[];
  v_resumed text[];
  v_taken integer;
BEGIN
  -- MATERIALIZED: planned into the DELETE, the LIMIT might be counted anew for each row it looks at.
  WITH head AS MATERIALIZED (
    SELECT run_id, resumed FROM runs_ready WHERE bucket_id = p_bucket AND not_before IS NULL
     ORDER BY sort_key, run_id LIMIT p_most FOR UPDATE SKIP LOCKED),
  ready AS (
    DELETE FROM runs_ready r USING head WHERE r.run_id = head.run_id
    RETURNING r.run_id, r.resumed)
  SELECT array_agg(run_id), array_agg(run_id) FILTER (WHERE resumed) INTO v_ready, v_resumed FROM ready;

  RETURN QUERY
  WITH run AS (
    UPDATE runs_run
       SET status = 'DEQUEUED', started_at = coalesce(started_at, v_now), reason = '', retry_at = NULL,
           updated_at = v_now
     WHERE id = ANY (v_ready) AND status = 'QUEUED'
       AND (expires_at IS NULL OR expires_at > v_now OR started_at IS NOT NULL)
    RETURNING *),
  lease AS (
    INSERT INTO runs_lease (run_id, bucket_id, queue_id, session_id, attempt, token, claimed_at, pid)
    SELECT id, p_bucket, p_queue, p_session, attempt_number + 1, gen_random_uuid()::text, v_now, p_pid FROM run
    RETURNING run_id, token, attempt)
  SELECT r.id::text, r.task_id::text, l.token::text, l.attempt, r.payload, r.tags, r.is_test, r.queue::text,
         r.concurrency_key::text, r.priority, r.max_attempts, r.uncounted_attempts, r.max_duration, r.machine::text,
         r.version::text, r.created_at, r.started_at, r.parent_id::text, r.root_id::text, r.replayed_from_id::text,
         r.idempotency_key::text, r.idempotency_scope::text, r.metadata, r.waited_attempt = l.attempt, false,
         -- since its last wait, too
         r.started_at < v_now AND (v_resumed IS NULL OR r.id <> ALL (v_resumed))
    FROM run r JOIN lease l ON l.run_id = r.id ORDER BY r.sort_key, r.id;

  GET DIAGNOSTICS v_taken = ROW_COUNT;
  IF v_taken < cardinality(v_ready) THEN
    PERFORM trackside_expire(id) FROM unnest(v_ready) id;
  END IF;
END $$;

-- Bodies of one bucket that returned, p_began to p_ended seconds ago, and what their worker does next: one commit.
-- A run that was asked to cancel becomes CANCELED. First a row with nothing but the id for each run whose lease was
-- lost and whose end therefore does not count; then the next assignments: up to p_most of the same bucket where it
-- has no limit, else one as trackside_next finds it. p_next 3: the run that waited for the last of them, else as 1.
CREATE OR REPLACE FUNCTION trackside_turn(
  p_runs text[], p_tokens text[], p_outputs text[], p_began double precision[], p_ended double precision[],
  p_next integer, p_most integer, p_pid integer)
RETURNS SETOF trackside_assigned LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_ended text[];
  v_bucket bigint;
  v_queue bigint;
  v_session text;
  v_heir text;
BEGIN
  IF p_next = 3 THEN
    v_heir := trackside_heir(p_runs[cardinality(p_runs)], p_tokens[cardinality(p_tokens)], p_pid);
    p_next := 1;
  END IF;
  WITH lease AS (
    DELETE FROM runs_lease l
     USING unnest(p_runs, p_tokens, p_outputs, p_began, p_ended) e (id, key, output, began, ended)
     WHERE l.run_id = e.id AND l.token = e.key
    RETURNING l.*, e.output, v_now - make_interval(secs => e.began) AS began,
              v_now - make_interval(secs => e.ended) AS ended),
  run AS (
    UPDATE runs_run r
       SET status = CASE WHEN cancel_requested_at IS NULL THEN 'COMPLETED' ELSE 'CANCELED' END,
           output = CASE WHEN cancel_requested_at IS NULL THEN l.output END,
           reason = CASE WHEN cancel_requested_at IS NULL THEN '' ELSE reason END,
           attempt_number = l.attempt, executed_at = coalesce(executed_at, l.began), finished_at = l.ended,
           updated_at = v_now, done_token = l.token,
           usage_ms = usage_ms + (extract(epoch FROM l.ended - l.began) * 1000)::bigint
      FROM lease l WHERE r.id = l.run_id
    RETURNING r.id, r.status),
  attempt AS (
    INSERT INTO runs_attempt (run_id, number, status, session_id, pid, started_at, finished_at)
    SELECT l.run_id, l.attempt, r.status, l.session_id, p_pid, l.began, l.ended
      FROM lease l JOIN run r ON r.id = l.run_id),
  event AS (
    INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
    SELECT l.run_id, e.kind, e.status, l.attempt, 'session:' || l.session_id, '', '', e.at
      FROM lease l JOIN run r ON r.id = l.run_id
     CROSS JOIN LATERAL (
       SELECT 'started' AS kind, 'EXECUTING' AS status, l.began AS at WHERE l.started_at IS NULL
       UNION ALL SELECT lower(r.status), r.status, l.ended) e)
  SELECT array_agg(run_id), min(bucket_id), min(queue_id), min(session_id)
    INTO v_ended, v_bucket, v_queue, v_session FROM lease;

  IF cardinality(v_ended) IS DISTINCT FROM cardinality(p_runs) THEN
    RETURN QUERY SELECT (jsonb_populate_record(NULL::trackside_assigned, jsonb_build_object('run_id', e.id))).*
      FROM unnest(p_runs, p_tokens) e (id, key)
     WHERE NOT EXISTS (SELECT 1 FROM runs_run r WHERE r.id = e.id AND r.done_token = e.key);
    IF v_bucket IS NULL THEN
      RETURN QUERY SELECT a.* FROM trackside_held(p_runs[cardinality(p_runs)], p_pid) a WHERE p_next > 0;
      RETURN;
    END IF;
  END IF;

  IF v_heir IS NOT NULL THEN
    RETURN QUERY SELECT a.* FROM trackside_assignment(v_heir) a;
    RETURN;
  END IF;
  IF p_next = 1 AND p_most > 1 AND EXISTS (
       SELECT 1 FROM runs_queue q, runs_workersession s
        WHERE q.id = v_queue AND NOT q.paused AND q.total_limit IS NULL
          AND coalesce(q.override_limit, q.concurrency_limit) IS NULL
          AND s.id = v_session AND s.state = 'ALIVE' AND NOT s.draining) THEN
    RETURN QUERY SELECT a.* FROM trackside_take_many(v_bucket, v_queue, v_session, p_most, p_pid) a;
    IF FOUND THEN
      RETURN;
    END IF;
  END IF;
  IF cardinality(v_ended) > 1 THEN  -- it has got a limit meanwhile, and one run takes the place of several
    PERFORM trackside_release(v_bucket, v_queue);
  END IF;
  RETURN QUERY SELECT a.* FROM trackside_next(v_bucket, v_queue, v_session, p_next, p_pid) a
                WHERE a.run_id IS NOT NULL;
END $$;

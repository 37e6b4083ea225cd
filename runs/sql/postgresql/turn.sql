-- Where a worker that gave a slot back goes on: p_next 0 nowhere, 1 in the same bucket if it has room, else in any,
-- 2 in any. The run is started, by code of p_version. NULL when there is none.
CREATE OR REPLACE FUNCTION trackside_next(p_bucket bigint, p_queue bigint, p_session text, p_next integer,
                                          p_pid integer, p_version text)
RETURNS trackside_assigned LANGUAGE plpgsql AS $$
DECLARE
  v_run text;
  v_work trackside_assigned;
  v_code trackside_code;
BEGIN
  IF p_next > 0 THEN
    v_code := trackside_code_of(p_session, p_version);
    IF v_code.version IS NULL THEN
      p_next := 0;
    END IF;
  END IF;
  IF p_next = 1 AND EXISTS (
       SELECT 1 FROM runs_queue q WHERE q.id = p_queue AND NOT q.paused AND q.rate_interval IS NULL
          AND (coalesce(q.override_limit, q.concurrency_limit) IS NULL
               OR (SELECT count(*) FROM runs_lease l WHERE l.bucket_id = p_bucket)
                  < coalesce(q.override_limit, q.concurrency_limit))
          AND (coalesce(q.override_total, q.total_limit) IS NULL
               OR (SELECT count(*) FROM runs_lease l WHERE l.queue_id = p_queue)
                  < coalesce(q.override_total, q.total_limit))) THEN
    v_run := trackside_take(p_bucket, p_queue, p_session, true, p_pid, v_code);
  END IF;
  IF v_run IS NULL THEN
    PERFORM trackside_release(ARRAY[p_bucket], ARRAY[p_queue]);
    IF p_next > 0 THEN
      v_run := trackside_claim_one(p_session, true, p_pid, v_code);
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

-- Take up to p_most runs of one bucket without a limit or a rate out of their queue; `untaken` are those of them that
-- nobody took since they left for a wait. NULLs when there are none.
DROP FUNCTION IF EXISTS trackside_pick;
CREATE FUNCTION trackside_pick(p_bucket bigint, p_queue bigint, p_most integer, p_lane smallint,
                               OUT runs text[], OUT buckets bigint[], OUT queues bigint[], OUT untaken text[])
LANGUAGE plpgsql AS $$  -- which keeps its plan; one in SQL is planned at each call
#variable_conflict use_column
BEGIN
  -- MATERIALIZED: planned into the DELETE, the LIMIT might be counted anew for each row it looks at.
  WITH head AS MATERIALIZED (
    SELECT run_id FROM runs_ready WHERE bucket_id = p_bucket AND lane = p_lane AND pin = '' AND not_before IS NULL
     ORDER BY sort_key, run_id LIMIT p_most FOR UPDATE SKIP LOCKED),
  ready AS (
    DELETE FROM runs_ready r USING head WHERE r.run_id = head.run_id
    RETURNING r.run_id, r.untaken)
  SELECT array_agg(run_id), array_agg(p_bucket), array_agg(p_queue), array_agg(run_id) FILTER (WHERE ready.untaken)
    INTO runs, buckets, queues, untaken FROM ready;
END $$;

-- The same, one of each of up to p_most buckets that have room, the least recently served first. As in a claim,
-- buckets are locked before their leases are counted, each in a snapshot of its own, and nothing waits for a lock.
DROP FUNCTION IF EXISTS trackside_pick_across;
CREATE FUNCTION trackside_pick_across(p_most integer, p_lane smallint, OUT runs text[], OUT buckets bigint[],
                                      OUT queues bigint[], OUT untaken text[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_locked bigint[];
BEGIN
  SELECT array_agg(id) INTO v_locked FROM (
    SELECT b.id FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
     WHERE NOT b."full" AND NOT q.paused AND NOT q."full" AND q.rate_interval IS NULL
       AND coalesce(q.override_total, q.total_limit) IS NULL
       AND (SELECT 1 FROM runs_ready r
             WHERE r.bucket_id = b.id AND r.lane = p_lane AND r.pin = '' AND r.not_before IS NULL LIMIT 1) IS NOT NULL
     ORDER BY b.served LIMIT p_most FOR NO KEY UPDATE OF b SKIP LOCKED) open;

  WITH room AS MATERIALIZED (
    SELECT b.id, b.queue_id, coalesce(q.override_limit, q.concurrency_limit) AS most,
           (SELECT count(*) FROM runs_lease l WHERE l.bucket_id = b.id) AS held
      FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
     WHERE b.id = ANY (v_locked) AND NOT q.paused AND q.rate_interval IS NULL
       AND coalesce(q.override_total, q.total_limit) IS NULL),
  head AS MATERIALIZED (
    SELECT first.run_id, room.id, room.queue_id FROM room CROSS JOIN LATERAL (
      SELECT run_id FROM runs_ready WHERE bucket_id = room.id AND lane = p_lane AND pin = '' AND not_before IS NULL
       ORDER BY sort_key, run_id LIMIT 1 FOR UPDATE SKIP LOCKED) first
     WHERE most IS NULL OR held < most),
  ready AS (
    DELETE FROM runs_ready r USING head WHERE r.run_id = head.run_id
    RETURNING head.*, r.untaken),
  served AS (
    UPDATE runs_bucket b
       SET served = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
           "full" = coalesce(room.held + (EXISTS (SELECT 1 FROM head WHERE head.id = b.id))::integer >= room.most,
                             false)
      FROM room WHERE room.id = b.id)
  SELECT array_agg(run_id), array_agg(id), array_agg(queue_id), array_agg(run_id) FILTER (WHERE ready.untaken)
    INTO runs, buckets, queues, untaken FROM ready;
END $$;

-- Whether a bucket other than these may have a run to take across.
CREATE OR REPLACE FUNCTION trackside_has_other(p_buckets bigint[], p_lane smallint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT 1 FROM runs_bucket b JOIN runs_queue q ON q.id = b.queue_id
     WHERE NOT b."full" AND NOT q.paused AND NOT q."full" AND q.rate_interval IS NULL
       AND coalesce(q.override_total, q.total_limit) IS NULL AND b.id <> ALL (p_buckets)
       AND (SELECT 1 FROM runs_ready r
             WHERE r.bucket_id = b.id AND r.lane = p_lane AND r.pin = '' AND r.not_before IS NULL LIMIT 1) IS NOT NULL)
$$;

-- Bodies that returned, executed by code of p_version p_began to p_ended seconds ago, and what their worker does
-- next: one commit. What is pinned to its version is left to trackside_next. A run that was asked to cancel becomes
-- CANCELED. First a row with nothing but the id for each run whose lease was lost and whose end therefore does not
-- count; then the next assignments: up to p_most of the same bucket where it has no limit, or one from each of
-- p_most buckets, else one as trackside_next finds it. p_next 3: the run that waited for the last one, else as 1.
CREATE OR REPLACE FUNCTION trackside_turn(
  p_runs text[], p_tokens text[], p_outputs text[], p_began double precision[], p_ended double precision[],
  p_next integer, p_most integer, p_pid integer, p_version text DEFAULT '')
RETURNS SETOF trackside_assigned LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_ended integer;
  v_buckets bigint[];
  v_queues bigint[];
  v_session text;
  v_code trackside_code;
  v_takes boolean;
  v_runs text[];
  v_from bigint[];
  v_of bigint[];
  v_untaken text[];
  v_taken integer;
  v_heir text;
BEGIN
  IF p_next = 3 THEN
    v_heir := trackside_heir(p_runs[cardinality(p_runs)], p_tokens[cardinality(p_tokens)], p_pid, p_version);
    p_next := 1;
  END IF;
  IF cardinality(p_runs) > 1 THEN
    -- Another process may record some of them too, for a worker that died or did not hear the answer: leases by id,
    -- and then whom the ends wake, as one end locks them.
    PERFORM 1 FROM runs_lease WHERE run_id = ANY (p_runs) ORDER BY run_id FOR UPDATE;
    PERFORM 1 FROM runs_ready WHERE run_id IN (SELECT run_id FROM runs_waiter WHERE target = ANY (p_runs))
      ORDER BY run_id FOR UPDATE;
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
           attempt_number = l.attempt, executed_at = coalesce(executed_at, l.began),
           finished_at = CASE WHEN cancel_requested_at IS NULL THEN l.ended ELSE v_now END,  -- no end before its cause
           updated_at = v_now, done_token = l.token, version = coalesce(nullif(r.version, ''), p_version),
           usage_ms = usage_ms + (extract(epoch FROM l.ended - l.began) * 1000)::bigint
      FROM lease l WHERE r.id = l.run_id
    RETURNING r.id, r.status, r.finished_at),
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
       UNION ALL SELECT lower(r.status), r.status, r.finished_at) e)
  SELECT count(*), array_agg(DISTINCT bucket_id), array_agg(DISTINCT queue_id), min(session_id)
    INTO v_ended, v_buckets, v_queues, v_session FROM lease;

  IF v_ended < cardinality(p_runs) THEN
    RETURN QUERY SELECT (jsonb_populate_record(NULL::trackside_assigned, jsonb_build_object('run_id', e.id))).*
      FROM unnest(p_runs, p_tokens) e (id, key)
     WHERE NOT EXISTS (SELECT 1 FROM runs_run r WHERE r.id = e.id AND r.done_token = e.key);
    IF v_ended = 0 THEN
      RETURN QUERY SELECT a.* FROM trackside_held(p_runs[cardinality(p_runs)], p_pid) a WHERE p_next > 0;
      RETURN;
    END IF;
  END IF;

  IF v_heir IS NOT NULL THEN
    PERFORM trackside_release(v_buckets, v_queues);
    RETURN QUERY SELECT a.* FROM trackside_assignment(v_heir) a;
    RETURN;
  END IF;
  IF p_next > 0 THEN
    v_code := trackside_code_of(v_session, p_version);
  END IF;
  v_takes := cardinality(v_code.pins) = 1 AND cardinality(v_code.lanes) = 1;
  IF v_takes AND p_most > 1 AND p_next = 1 AND cardinality(v_buckets) = 1 AND EXISTS (
       SELECT 1 FROM runs_queue q WHERE q.id = v_queues[1] AND NOT q.paused AND q.rate_interval IS NULL
          AND coalesce(q.override_total, q.total_limit) IS NULL
          AND coalesce(q.override_limit, q.concurrency_limit) IS NULL) THEN
    SELECT * INTO v_runs, v_from, v_of, v_untaken FROM trackside_pick(v_buckets[1], v_queues[1], p_most, v_code.lanes[1]);
  END IF;
  IF v_runs IS NULL AND v_takes AND p_most > 1
     AND (cardinality(v_buckets) > 1 OR trackside_has_other(v_buckets, v_code.lanes[1])) THEN
    PERFORM trackside_release(v_buckets, v_queues);
    SELECT * INTO v_runs, v_from, v_of, v_untaken FROM trackside_pick_across(p_most, v_code.lanes[1]);
  END IF;

  IF v_runs IS NOT NULL THEN
    -- Starts are not recorded yet: that is done with the ends, or once one of them turns out to be long.
    RETURN QUERY
    WITH run AS (
      UPDATE runs_run
         SET status = 'DEQUEUED', started_at = coalesce(started_at, v_now), reason = '', retry_at = NULL,
             updated_at = v_now
       WHERE id = ANY (v_runs) AND (status = 'QUEUED') IS TRUE  -- found by the id, not by an index on the status
         AND (version = '' OR version = v_code.version OR v_code.version = '')
         AND (v_code.lacking = '' OR strpos(v_code.lacking, E'\n' || task_id || E'\n') = 0)
         AND (expires_at IS NULL OR expires_at > v_now OR started_at IS NOT NULL)
      RETURNING *),
    lease AS (
      INSERT INTO runs_lease (run_id, bucket_id, queue_id, session_id, attempt, token, claimed_at, pid)
      SELECT run.id, p.bucket, p.queue, v_session, run.attempt_number + 1, gen_random_uuid()::text, v_now, p_pid
        FROM run JOIN unnest(v_runs, v_from, v_of) p (id, bucket, queue) ON p.id = run.id
      RETURNING run_id, token, attempt)
    SELECT r.id::text, r.task_id::text, l.token::text, l.attempt, r.payload, r.tags, r.is_test, r.queue::text,
           r.concurrency_key::text, r.priority, r.max_attempts, r.uncounted_attempts, r.max_duration, r.machine::text,
           r.version::text, r.created_at, r.started_at, r.parent_id::text, r.root_id::text, r.replayed_from_id::text,
           r.idempotency_key::text, r.idempotency_scope::text, r.metadata, r.traceparent::text, r.tracestate,
           r.batch_id::text, r.waited_attempt = l.attempt, false,
           r.started_at < v_now AND (v_untaken IS NULL OR r.id <> ALL (v_untaken))
      FROM run r JOIN lease l ON l.run_id = r.id ORDER BY r.sort_key, r.id;
    GET DIAGNOSTICS v_taken = ROW_COUNT;
    IF v_taken < cardinality(v_runs) THEN
      PERFORM trackside_refuse(p.id, p.bucket, false) FROM unnest(v_runs, v_from) p (id, bucket);
      PERFORM trackside_release(v_from, v_of);
    END IF;
    IF v_taken > 0 THEN
      RETURN;
    END IF;
  END IF;

  IF v_ended > 1 OR p_next = 0 THEN  -- one run takes the place of several, or none
    PERFORM trackside_release(v_buckets, v_queues);
    IF p_next = 0 THEN
      RETURN;
    END IF;
  END IF;
  IF cardinality(v_queues) > 1 THEN
    v_queues[1] := (SELECT queue_id FROM runs_bucket WHERE id = v_buckets[1]);
  END IF;
  RETURN QUERY SELECT a.* FROM trackside_next(v_buckets[1], v_queues[1], v_session, p_next, p_pid, p_version) a
                WHERE a.run_id IS NOT NULL;
END $$;

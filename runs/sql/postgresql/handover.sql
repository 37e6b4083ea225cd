-- A slot that passes from a run to the child it waits for, and back: without the queue between them.

-- What a worker of this session may go on with in a queue that counts nothing: see trackside_code_of. NULL where
-- the queue counts, is paused, or the worker is to take nothing.
CREATE OR REPLACE FUNCTION trackside_code_for(p_queue bigint, p_session text, p_version text) RETURNS trackside_code
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF EXISTS (
       SELECT 1 FROM runs_queue q WHERE q.id = p_queue AND NOT q.paused AND q.rate_interval IS NULL
          AND coalesce(q.override_total, q.total_limit) IS NULL
          AND coalesce(q.override_limit, q.concurrency_limit) IS NULL) THEN
    RETURN trackside_code_of(p_session, p_version);
  END IF;
  RETURN NULL;
END $$;

-- Whether that code may execute a run of this task, lane and version.
CREATE OR REPLACE FUNCTION trackside_executes(p_code trackside_code, p_task text, p_lane smallint, p_version text)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_lane = ANY (p_code.lanes) AND (p_version = '' OR p_version = p_code.version OR p_code.version = '')
     AND strpos(p_code.lacking, E'\n' || p_task || E'\n') = 0
$$;

-- Whether other runs of the bucket that this code may execute come before one of this key.
CREATE OR REPLACE FUNCTION trackside_is_behind(p_bucket bigint, p_code trackside_code, p_sort bigint) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_lane smallint;
  v_pin text;
BEGIN
  FOREACH v_lane IN ARRAY p_code.lanes LOOP
    FOREACH v_pin IN ARRAY p_code.pins LOOP
      IF EXISTS (SELECT 1 FROM runs_ready r
                  WHERE r.bucket_id = p_bucket AND r.lane = v_lane AND r.pin = v_pin AND r.not_before IS NULL
                    AND r.sort_key < p_sort) THEN
        RETURN true;
      END IF;
    END LOOP;
  END LOOP;
  RETURN false;
END $$;

-- Store a new run that takes over a slot, started at once; its id. NULL, and nothing stored, where others come first.
-- Arguments as of trackside_insert, of one run, and the bucket whose slot it is.
CREATE OR REPLACE FUNCTION trackside_bear(
  p_common json, p_run json, p_bucket json, p_tags json, p_slot bigint, p_session text, p_pid integer, p_version text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_new runs_run%ROWTYPE;
  v_bucket bigint;
  v_queue bigint;
  v_code trackside_code;
  v_now timestamptz := clock_timestamp();
BEGIN
  SELECT id, queue_id INTO v_bucket, v_queue FROM runs_bucket
   WHERE queue_id = (p_bucket ->> 'queue_id')::bigint AND key_hash = p_bucket ->> 'key_hash' FOR KEY SHARE;
  v_code := trackside_code_for(v_queue, p_session, p_version);
  IF v_code.version IS NULL THEN
    RETURN NULL;
  END IF;
  v_new := json_populate_record(json_populate_record(NULL::runs_run, p_common), p_run);
  IF v_new.status <> 'QUEUED' OR NOT trackside_executes(v_code, v_new.task_id, v_new.lane, v_new.version)
     OR trackside_is_behind(v_bucket, v_code, v_new.sort_key) THEN
    RETURN NULL;
  END IF;
  INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
  VALUES (v_new.id, 'triggered', v_new.status, 0, v_new.actor, v_new.reason, '', v_new.created_at),
         (v_new.id, 'started', 'EXECUTING', 1, 'session:' || p_session, '', '', v_now);
  v_new.status := 'EXECUTING';
  v_new.attempt_number := 1;
  v_new.started_at := v_now;
  v_new.executed_at := v_now;
  v_new.updated_at := v_now;
  v_new.version := coalesce(nullif(v_new.version, ''), v_code.version);
  INSERT INTO runs_run VALUES (v_new.*);
  INSERT INTO runs_lease (run_id, bucket_id, queue_id, session_id, attempt, token, claimed_at, pid, started_at)
  VALUES (v_new.id, v_bucket, v_queue, p_session, 1, gen_random_uuid()::text, v_now, p_pid, v_now);
  IF p_tags IS NOT NULL THEN
    INSERT INTO runs_runtag (tag, run_id)
    SELECT tag, run_id FROM json_to_recordset(p_tags) AS t(tag text, run_id text);
  END IF;
  IF v_bucket <> p_slot THEN
    PERFORM trackside_release(ARRAY[p_slot], ARRAY[(SELECT queue_id FROM runs_bucket WHERE id = p_slot)]);
  END IF;
  RETURN v_new.id;
END $$;

-- The only run that waits for this one, and that for nothing else, which takes over its slot, started at once; NULL
-- where there is none, or others come first. The caller ends the run with this lease right afterwards, and here locks
-- it: nobody can begin to wait for it in between.
CREATE OR REPLACE FUNCTION trackside_heir(p_run text, p_token text, p_pid integer, p_version text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  v_lease runs_lease%ROWTYPE;
  v_code trackside_code;
  v_waiters text[];
  v_heir text;
  v_sort bigint;
  v_bucket bigint;
  v_queue bigint;
  v_attempt integer;
  v_now timestamptz := clock_timestamp();
BEGIN
  SELECT * INTO v_lease FROM runs_lease WHERE run_id = p_run AND token = p_token FOR UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  PERFORM 1 FROM runs_run WHERE id = p_run AND awaited FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  SELECT array_agg(run_id) INTO v_waiters FROM (SELECT run_id FROM runs_waiter WHERE target = p_run LIMIT 2) w;
  v_heir := v_waiters[1];
  IF cardinality(v_waiters) > 1 OR EXISTS (SELECT 1 FROM runs_waiter WHERE run_id = v_heir AND target <> p_run) THEN
    RETURN NULL;
  END IF;
  -- The ready row first, as everybody does who ends a wait.
  SELECT r.sort_key, r.bucket_id, b.queue_id INTO v_sort, v_bucket, v_queue
    FROM runs_ready r JOIN runs_bucket b ON b.id = r.bucket_id WHERE r.run_id = v_heir FOR UPDATE OF r SKIP LOCKED;
  v_code := trackside_code_for(v_queue, v_lease.session_id, p_version);
  IF v_code.version IS NULL OR trackside_is_behind(v_bucket, v_code, v_sort) THEN
    RETURN NULL;
  END IF;
  UPDATE runs_run SET status = 'EXECUTING', reason = '', updated_at = v_now
   WHERE id = v_heir AND status = 'WAITING' AND trackside_executes(v_code, task_id, lane, version)
  RETURNING waited_attempt INTO v_attempt;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  DELETE FROM runs_ready WHERE run_id = v_heir;
  DELETE FROM runs_waiter WHERE run_id = v_heir;
  INSERT INTO runs_lease (run_id, bucket_id, queue_id, session_id, attempt, token, claimed_at, pid, started_at)
  VALUES (v_heir, v_bucket, v_queue, v_lease.session_id, v_attempt, gen_random_uuid()::text, v_now,
          p_pid, v_now);
  INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
  VALUES (v_heir, 'resumed', 'QUEUED', v_attempt, 'system', '', '', v_now),
         (v_heir, 'started', 'EXECUTING', v_attempt, 'session:' || v_lease.session_id, '', '', v_now);
  RETURN v_heir;
END $$;

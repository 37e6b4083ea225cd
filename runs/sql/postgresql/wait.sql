-- The body reached a wait: the run leaves its worker as WAITING, unless what it waits for is there already.
-- Targets (runs, tokens) are locked in one order before the lease is looked at, and whoever ends one holds the same
-- lock: either the end is seen here, or the waiter is seen there. Runs that are made here nobody else sees before.
--   p_due: seconds since 1970 at which it comes back anyway, NULL for never
--   p_one: the first target to end brings it back, not the last
--   p_targets: [id]    p_entries: [{columns of runs_journal}]    p_next: see trackside_next
--   p_began: seconds since the body was entered, where its start is not recorded yet
--   p_made: [id] of runs that it waits for too and that are made now, of the four arguments of trackside_insert that
--   follow; NULL for none. A run that was asked to stop makes none.
-- outcome: waiting; canceled (it was asked to stop); ready (nothing to wait for: the lease is kept, the body goes on);
-- lost (the lease is gone)
DROP FUNCTION IF EXISTS trackside_suspend;
CREATE OR REPLACE FUNCTION trackside_suspend(
  p_run text, p_token text, p_reason text, p_due double precision, p_one boolean, p_targets text[], p_entries json,
  p_next integer, p_pid integer, p_began double precision, p_made text[], p_common json, p_runs json, p_buckets json,
  p_tags json, p_version text DEFAULT '')
RETURNS TABLE (outcome text, work trackside_assigned) LANGUAGE plpgsql AS $$
DECLARE
  v_lease runs_lease%ROWTYPE;
  v_open text[];
  v_due timestamptz := to_timestamp(p_due);
  v_now timestamptz;
  v_canceling boolean;
  v_used bigint;
  v_sort bigint;
  v_lane smallint;
  v_child text;
BEGIN
  v_open := trackside_hold(p_targets);
  IF p_began IS NOT NULL THEN
    PERFORM trackside_start(p_run, p_token, p_pid, p_began, p_version);
  END IF;
  SELECT * INTO v_lease FROM runs_lease l WHERE l.run_id = p_run AND l.token = p_token FOR UPDATE;
  IF NOT FOUND THEN
    outcome := CASE WHEN EXISTS (SELECT 1 FROM runs_run WHERE id = p_run AND done_token = p_token)
                    THEN 'waiting' ELSE 'lost' END;
    RETURN NEXT;
    RETURN;
  END IF;
  SELECT cancel_requested_at IS NOT NULL INTO v_canceling FROM runs_run WHERE id = p_run FOR NO KEY UPDATE;
  v_now := clock_timestamp();
  IF p_made IS NULL OR NOT v_canceling THEN
    INSERT INTO runs_journal SELECT * FROM json_populate_recordset(NULL::runs_journal, p_entries)
    ON CONFLICT DO NOTHING;
  END IF;

  IF p_made IS NULL AND (v_due <= v_now OR (p_one AND cardinality(v_open) < cardinality(p_targets))
     OR (v_due IS NULL AND coalesce(cardinality(v_open), 0) = 0)) THEN
    PERFORM trackside_count_segment(p_run, v_lease.attempt, coalesce(v_lease.started_at, v_lease.claimed_at), v_now);
    UPDATE runs_lease l SET started_at = v_now WHERE l.run_id = p_run;
    outcome := 'ready';
    RETURN NEXT;
    RETURN;
  END IF;

  IF v_canceling THEN
    PERFORM trackside_end(p_run, p_token, 'CANCELED', 'CANCELED', 'canceled', NULL, NULL, NULL, '', 0, false);
    outcome := 'canceled';
  ELSE
    DELETE FROM runs_lease l WHERE l.run_id = p_run;
    IF p_made IS NOT NULL THEN
      v_open := v_open || p_made;
      IF p_next = 1 AND cardinality(p_made) = 1 THEN
        v_child := trackside_bear(p_common, p_runs -> 0, p_buckets -> 0, p_tags, v_lease.bucket_id,
                                  v_lease.session_id, p_pid, p_version);
      END IF;
      IF v_child IS NOT NULL THEN
        -- Whatever is committed next flushes this too, the child's end at the latest. Should the server die before, the
        -- run is back before its wait, like after any crash, and makes another child.
        PERFORM set_config('synchronous_commit', 'off', true);
      ELSE
        PERFORM trackside_insert(p_common, p_runs, p_buckets, p_tags);
      END IF;
    END IF;
    v_used := extract(epoch FROM v_now - coalesce(v_lease.started_at, v_lease.claimed_at)) * 1000;
    UPDATE runs_run
       SET status = 'WAITING', reason = p_reason, done_token = p_token, updated_at = v_now,
           usage_ms = usage_ms + v_used, waited_attempt = v_lease.attempt,
           attempt_ms = CASE WHEN waited_attempt = v_lease.attempt THEN attempt_ms ELSE 0 END + v_used
     WHERE id = p_run RETURNING sort_key, lane INTO v_sort, v_lane;
    INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane, resumed, untaken)
    VALUES (p_run, v_lease.bucket_id, v_sort, coalesce(v_due, '9999-01-01 00:00:00+00'), v_lane,
            EXISTS (SELECT 1 FROM runs_queue q WHERE q.id = v_lease.queue_id AND q.rate_interval IS NOT NULL), true);
    INSERT INTO runs_waiter (target, run_id, one_suffices) SELECT id, p_run, p_one FROM unnest(v_open) AS id;
    INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
    VALUES (p_run, 'waiting', 'WAITING', v_lease.attempt, 'session:' || v_lease.session_id, p_reason,
            '{"token": "' || p_token || '"}', v_now);
    outcome := 'waiting';
  END IF;

  IF v_child IS NULL THEN
    work := trackside_next(v_lease.bucket_id, v_lease.queue_id, v_lease.session_id, p_next, p_pid, p_version);
  ELSE
    SELECT a.* INTO work FROM trackside_assignment(v_child) a;
  END IF;
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

-- The same for one entry, the commonest case, without JSON.
--   p_pid, p_began: as of trackside_start, where the start of the run is not recorded yet; NULL where it is
--   p_version: of the code that executes it
CREATE OR REPLACE FUNCTION trackside_keep(
  p_run text, p_token text, p_pid integer, p_began double precision, p_kind text, p_name text, p_ordinal integer,
  p_attempt integer, p_position integer, p_status text, p_started timestamptz, p_args text, p_args_hash text,
  p_result text, p_error text, p_target text, p_span text, p_due timestamptz, p_finished timestamptz, p_version text)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF p_pid IS NOT NULL THEN
    PERFORM trackside_start(p_run, p_token, p_pid, p_began, p_version);
  END IF;
  PERFORM 1 FROM runs_lease WHERE run_id = p_run AND token = p_token FOR KEY SHARE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO runs_journal (run_id, kind, name, ordinal, attempt, position, status, started_at, args, args_hash,
                            result, error, target, span, due_at, finished_at)
  VALUES (p_run, p_kind, p_name, p_ordinal, p_attempt, p_position, p_status, p_started, p_args, p_args_hash,
          p_result, p_error, p_target, p_span, p_due, p_finished)
  ON CONFLICT DO NOTHING;
  RETURN true;
END $$;

-- Everything a run remembers, in order, and how what its entries point to stands.
DROP FUNCTION IF EXISTS trackside_remember;
CREATE FUNCTION trackside_remember(p_run text)
RETURNS TABLE (kind text, name text, ordinal integer, attempt integer, "position" integer, status text,
               started_at timestamptz, args text, args_hash text, result text, error text, target text,
               span text, due_at timestamptz, finished_at timestamptz, t_status text, t_output text, t_error text,
               t_task_id text, t_ended_at timestamptz, t_reason text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT j.kind::text, j.name::text, j.ordinal, j.attempt, j.position, j.status::text, j.started_at, j.args,
         j.args_hash::text, j.result, j.error, j.target::text, j.span::text, j.due_at, j.finished_at,
         coalesce(r.status, w.status)::text, coalesce(r.output, w.output), r.error, coalesce(r.task_id, '')::text,
         coalesce(r.finished_at, w.completed_at), coalesce(r.reason, '')
    FROM runs_journal j
    LEFT JOIN runs_run r ON r.id = j.target
    LEFT JOIN runs_waitpoint w ON w.id = j.target
   WHERE j.run_id = p_run
   ORDER BY j.attempt, j.position;
END $$;

-- How targets stand, after a row for the run itself; nothing unless the run left with this token when it was executed
-- last. A run does not wait for itself.
DROP FUNCTION IF EXISTS trackside_recall;
CREATE FUNCTION trackside_recall(p_run text, p_token text, p_targets text[])
RETURNS TABLE (id text, status text, output text, error text, task_id text, ended_at timestamptz,
               reason text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT r.id::text, ''::text, NULL::text, NULL::text, ''::text, NULL::timestamptz, ''::text
                 FROM runs_run r WHERE r.id = p_run AND r.done_token = p_token;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT r.id::text, r.status::text, r.output, r.error, r.task_id::text, r.finished_at, r.reason::text
                 FROM runs_run r WHERE r.id = ANY (p_targets);
  IF EXISTS (SELECT 1 FROM unnest(p_targets) t WHERE t NOT LIKE 'run\_%') THEN
    RETURN QUERY SELECT w.id::text, w.status::text, w.output, NULL::text, ''::text, w.completed_at, ''::text
                   FROM runs_waitpoint w WHERE w.id = ANY (p_targets);
  END IF;
END $$;

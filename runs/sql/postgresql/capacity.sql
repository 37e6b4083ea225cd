-- What the machines of runs weigh, and what a cluster has. A worker that goes on with another run by itself takes from the
-- ordinary lanes, 0 and 1, which is no more than its share: so what a cluster executes grows by claims alone, and only
-- they are weighed, in turns (the session's row is locked). As long as no run is heavier than a share nothing is.

-- What a run of each lane counts for, and whether the session is large enough for it at all.
DROP FUNCTION IF EXISTS trackside_weights;
CREATE FUNCTION trackside_weights(p_session text)
RETURNS TABLE (lane smallint, cpu double precision, memory double precision, fits boolean) LANGUAGE sql STABLE AS $$
  SELECT w.key::smallint, (w.value ->> 0)::double precision, (w.value ->> 1)::double precision,
         (w.value ->> 0)::double precision <= coalesce(s.capacity_cpu, 'infinity') + 1e-6
         AND (w.value ->> 1)::double precision <= coalesce(s.capacity_memory, 'infinity') + 1e-6
    FROM runs_workersession s CROSS JOIN LATERAL json_each(s.weights::json) w WHERE s.id = p_session
$$;

-- What its processes leave of its capacity. Each counts once, whatever it holds; a claim that is not started is one.
DROP FUNCTION IF EXISTS trackside_room;
CREATE FUNCTION trackside_room(p_session text, OUT cpu double precision, OUT memory double precision)
LANGUAGE sql STABLE AS $$
  WITH process AS (
    SELECT max(w.cpu) AS cpu, max(w.memory) AS memory
      FROM runs_lease l JOIN runs_run r ON r.id = l.run_id JOIN trackside_weights(p_session) w ON w.lane = r.lane
     WHERE l.session_id = p_session GROUP BY CASE WHEN l.pid = 0 THEN l.run_id ELSE l.pid::text END)
  SELECT coalesce(s.capacity_cpu, 'infinity') - coalesce((SELECT sum(cpu) FROM process), 0) + 1e-6,
         coalesce(s.capacity_memory, 'infinity') - coalesce((SELECT sum(memory) FROM process), 0) + 1e-6
    FROM runs_workersession s WHERE s.id = p_session
$$;

-- Whether what this session claims has to be weighed. Every claim asks, so it keeps its plan.
CREATE OR REPLACE FUNCTION trackside_weighs(p_session text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT 1 FROM runs_ready r WHERE r.lane >= 2 AND r.not_before IS NULL)
      OR EXISTS (SELECT 1 FROM runs_workersession s WHERE s.id = p_session AND s.weighing);
END $$;

-- The lane of the oldest heavy run that this session is large enough for and that nothing but room keeps from it: its
-- turn in its bucket has come. Of each preset the first hundred are looked at.
CREATE OR REPLACE FUNCTION trackside_wanted(p_session text, p_code trackside_code) RETURNS smallint
LANGUAGE sql STABLE AS $$
  SELECT w.lane
    FROM trackside_weights(p_session) w
   CROSS JOIN LATERAL (
     SELECT r.run_id, r.bucket_id, r.sort_key FROM runs_ready r
      WHERE r.lane = w.lane AND r.lane >= 2 AND r.not_before IS NULL AND r.pin = ANY (p_code.pins)
      ORDER BY r.sort_key, r.run_id LIMIT 100) r
    JOIN runs_run run ON run.id = r.run_id
    JOIN runs_bucket b ON b.id = r.bucket_id JOIN runs_queue q ON q.id = b.queue_id
   WHERE w.lane >= 2 AND w.fits AND NOT b."full" AND NOT q."full" AND NOT q.paused
     AND (run.version = '' OR run.version = p_code.version OR p_code.version = '')
     AND strpos(p_code.lacking, E'\n' || run.task_id || E'\n') = 0
     AND NOT EXISTS (SELECT 1 FROM runs_ready o
                      WHERE o.bucket_id = r.bucket_id AND o.lane IN (0, 1) AND o.pin = ANY (p_code.pins)
                        AND o.not_before IS NULL AND o.sort_key < r.sort_key)
     AND (coalesce(q.override_limit, q.concurrency_limit) IS NULL
          OR (SELECT count(*) FROM runs_lease l WHERE l.bucket_id = b.id) < coalesce(q.override_limit, q.concurrency_limit))
     AND (coalesce(q.override_total, q.total_limit) IS NULL
          OR (SELECT count(*) FROM runs_lease l WHERE l.queue_id = q.id) < coalesce(q.override_total, q.total_limit))
   ORDER BY r.sort_key, r.run_id LIMIT 1
$$;

-- The lanes there is room for, of p_lanes and the heavy ones. `wanted` is as above; was it passed over for five seconds,
-- the session holds back: that lane and no other.
DROP FUNCTION IF EXISTS trackside_fitting;
CREATE FUNCTION trackside_fitting(p_session text, p_code trackside_code, p_lanes smallint[],
                                  OUT lanes smallint[], OUT wanted smallint, OUT holds boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_since timestamptz;
BEGIN
  holds := false;
  IF p_lanes IS NULL THEN
    RETURN;
  END IF;
  SELECT array_agg(w.lane ORDER BY w.lane) INTO lanes
    FROM trackside_weights(p_session) w CROSS JOIN trackside_room(p_session) room
   WHERE (w.lane >= 2 OR w.lane = ANY (p_lanes)) AND w.cpu <= room.cpu AND w.memory <= room.memory;
  lanes := coalesce(lanes, '{}');
  wanted := trackside_wanted(p_session, p_code);
  SELECT held_since INTO v_since FROM runs_workersession WHERE id = p_session;
  IF wanted IS NULL THEN
    UPDATE runs_workersession SET held_since = NULL WHERE id = p_session AND held_since IS NOT NULL;
  ELSIF v_since < clock_timestamp() - interval '5 s' THEN
    holds := true;
    lanes := CASE WHEN wanted = ANY (lanes) THEN ARRAY[wanted] ELSE '{}' END;
  ELSIF v_since IS NULL AND NOT wanted = ANY (lanes) THEN
    UPDATE runs_workersession SET held_since = clock_timestamp() WHERE id = p_session;
  END IF;
END $$;

-- Whether a process that shares its weight among many runs may take some: it has some, or there is room for it.
CREATE OR REPLACE FUNCTION trackside_has_room(p_session text, p_pid integer, p_code trackside_code) RETURNS boolean
LANGUAGE sql AS $$
  SELECT NOT f.holds AND (f.lanes && p_code.lanes
                          OR EXISTS (SELECT 1 FROM runs_lease l WHERE l.session_id = p_session AND l.pid = p_pid))
    FROM trackside_fitting(p_session, p_code, p_code.lanes) f
$$;

-- A weighed claim took a run: whoever waited for room long may have got it.
CREATE OR REPLACE FUNCTION trackside_weighed(p_session text, p_run text, p_wanted smallint) RETURNS void
LANGUAGE sql AS $$
  UPDATE runs_workersession s
     SET weighing = true, held_since = CASE WHEN r.lane = p_wanted THEN NULL ELSE s.held_since END
    FROM runs_run r WHERE r.id = p_run AND r.lane >= 2 AND s.id = p_session
$$;

-- Nothing has to be weighed any more once no heavy run executes, where the capacity holds for all ordinary ones.
CREATE OR REPLACE FUNCTION trackside_unweigh(p_session text) RETURNS void LANGUAGE sql AS $$
  UPDATE runs_workersession s SET weighing = false
   WHERE s.id = p_session AND s.weighing AND NOT s.tight
     AND NOT EXISTS (SELECT 1 FROM runs_lease l JOIN runs_run r ON r.id = l.run_id
                      WHERE l.session_id = p_session AND r.lane >= 2)
$$;

-- For the dispatcher, about to sleep: whether claims are weighed, and what a heavy run waits for: 0 none does, 1 a free
-- worker or room, 2 room, and long enough that the session holds back.
DROP FUNCTION IF EXISTS trackside_pressure;
CREATE FUNCTION trackside_pressure(p_session text, OUT weighs boolean, OUT waits integer) LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_since timestamptz;
BEGIN
  weighs := trackside_weighs(p_session);
  waits := 0;
  IF weighs AND trackside_wanted(p_session, trackside_code_of(p_session)) IS NOT NULL THEN
    SELECT held_since INTO v_since FROM runs_workersession WHERE id = p_session;
    waits := CASE WHEN v_since < clock_timestamp() - interval '5 s' THEN 2 ELSE 1 END;
  END IF;
END $$;

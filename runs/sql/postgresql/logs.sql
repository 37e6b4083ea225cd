-- Log lines in one partition for each month, so that old ones can go whole. Lines of a month that has none yet
-- are kept in the rest. This part happens once, to the table the model made.
DO $$
BEGIN
  IF (SELECT relkind FROM pg_class WHERE oid = 'runs_logline'::regclass) = 'p' THEN
    RETURN;
  END IF;
  ALTER TABLE runs_logline RENAME TO runs_logline_whole;
  CREATE TABLE runs_logline (LIKE runs_logline_whole INCLUDING STORAGE) PARTITION BY RANGE (at);
  CREATE TABLE runs_logline_rest PARTITION OF runs_logline DEFAULT;
  INSERT INTO runs_logline SELECT * FROM runs_logline_whole;
  DROP TABLE runs_logline_whole;

  -- A sequence, because partitions inherit no identity column before PostgreSQL 17.
  CREATE SEQUENCE runs_logline_id_seq AS bigint OWNED BY runs_logline.id;
  PERFORM setval('runs_logline_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM runs_logline), false);
  ALTER TABLE runs_logline ALTER COLUMN id SET DEFAULT nextval('runs_logline_id_seq');
  ALTER TABLE runs_logline ADD PRIMARY KEY (id, at);
  CREATE INDEX log_by_run ON runs_logline (run_id, id);
END $$;

-- Make the partition of the month a moment is in (UTC) and move in what the rest has of it.
-- True when it was made; false when it is there, or somebody keeps the tables busy: then it is for the next time.
CREATE OR REPLACE FUNCTION trackside_open_log_month(p_moment timestamptz) RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
  v_month timestamp := date_trunc('month', p_moment AT TIME ZONE 'UTC');
  v_from timestamptz := v_month AT TIME ZONE 'UTC';
  v_to timestamptz := (v_month + interval '1 month') AT TIME ZONE 'UTC';
  v_name text := to_char(v_month, '"runs_logline_"YYYY_MM');
BEGIN
  IF to_regclass(v_name) IS NOT NULL THEN
    RETURN false;
  END IF;
  -- One at a time; ATTACH, unlike PARTITION OF, lets others read and write the months that are there.
  LOCK TABLE ONLY runs_logline IN SHARE UPDATE EXCLUSIVE MODE;
  IF to_regclass(v_name) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE runs_logline_rest IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('CREATE TABLE %I (LIKE runs_logline INCLUDING DEFAULTS INCLUDING STORAGE)', v_name);
  EXECUTE format('WITH moved AS (DELETE FROM runs_logline_rest WHERE at >= $1 AND at < $2 RETURNING *)
                  INSERT INTO %I SELECT * FROM moved', v_name) USING v_from, v_to;
  EXECUTE format('ALTER TABLE runs_logline ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                 v_name, v_from, v_to);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;

-- Drop the partitions whose month (UTC) ended before a moment; their names. What somebody reads just now is for the
-- next time: nobody is kept waiting behind this.
CREATE OR REPLACE FUNCTION trackside_drop_log_months(p_before timestamptz) RETURNS text[]
LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
  v_month record;
  v_dropped text[] := '{}';
BEGIN
  FOR v_month IN
    SELECT c.oid::regclass AS part, c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'runs_logline'::regclass AND c.relname ~ '^runs_logline_\d{4}_\d{2}$' ORDER BY c.relname
  LOOP
    EXIT WHEN (to_date(right(v_month.name, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' > p_before;
    EXECUTE format('DROP TABLE %s', v_month.part);
    v_dropped := v_dropped || v_month.name;
  END LOOP;
  RETURN v_dropped;
EXCEPTION WHEN lock_not_available THEN
  RETURN '{}';
END $$;

SELECT trackside_open_log_month(now() + n * interval '1 month') FROM generate_series(0, 3) AS n;

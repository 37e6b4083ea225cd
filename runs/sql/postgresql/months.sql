-- Log lines and spans in one partition for each month, so that old ones can go whole. Rows of a month that has none
-- yet are kept in the rest. This happens once, to the table the model made.
CREATE OR REPLACE FUNCTION trackside_partition(p_table text, p_index text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT relkind FROM pg_class WHERE oid = p_table::regclass) = 'p' THEN
    RETURN;
  END IF;
  EXECUTE format('ALTER TABLE %1$I RENAME TO %1$s_whole', p_table);
  EXECUTE format('CREATE TABLE %1$I (LIKE %1$s_whole INCLUDING STORAGE) PARTITION BY RANGE (at)', p_table);
  EXECUTE format('CREATE TABLE %1$s_rest PARTITION OF %1$I DEFAULT', p_table);
  EXECUTE format('INSERT INTO %1$I SELECT * FROM %1$s_whole', p_table);
  EXECUTE format('DROP TABLE %1$s_whole', p_table);

  -- A sequence, because partitions inherit no identity column before PostgreSQL 17.
  EXECUTE format('CREATE SEQUENCE %1$s_id_seq AS bigint OWNED BY %1$I.id', p_table);
  EXECUTE format('SELECT setval(%1$L, (SELECT coalesce(max(id), 0) + 1 FROM %2$I), false)', p_table || '_id_seq', p_table);
  EXECUTE format('ALTER TABLE %1$I ALTER COLUMN id SET DEFAULT nextval(%2$L)', p_table, p_table || '_id_seq');
  EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (id, at)', p_table);
  EXECUTE format('CREATE INDEX %I ON %I (run_id, id)', p_index, p_table);
END $$;

SELECT trackside_partition('runs_logline', 'log_by_run'), trackside_partition('runs_span', 'span_by_run');

-- Make a table's partition of the month a moment is in (UTC) and move in what the rest has of it.
-- True when it was made; false when it is there, or somebody keeps the tables busy: then it is for the next time.
CREATE OR REPLACE FUNCTION trackside_open_month(p_table text, p_moment timestamptz) RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
  v_month timestamp := date_trunc('month', p_moment AT TIME ZONE 'UTC');
  v_from timestamptz := v_month AT TIME ZONE 'UTC';
  v_to timestamptz := (v_month + interval '1 month') AT TIME ZONE 'UTC';
  v_name text := p_table || to_char(v_month, '_YYYY_MM');
BEGIN
  IF to_regclass(v_name) IS NOT NULL THEN
    RETURN false;
  END IF;
  -- One at a time; ATTACH, unlike PARTITION OF, lets others read and write the months that are there.
  EXECUTE format('LOCK TABLE ONLY %I IN SHARE UPDATE EXCLUSIVE MODE', p_table);
  IF to_regclass(v_name) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('LOCK TABLE %s_rest IN ACCESS EXCLUSIVE MODE', p_table);
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING STORAGE)', v_name, p_table);
  EXECUTE format('WITH moved AS (DELETE FROM %s_rest WHERE at >= $1 AND at < $2 RETURNING *)
                  INSERT INTO %I SELECT * FROM moved', p_table, v_name) USING v_from, v_to;
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                 p_table, v_name, v_from, v_to);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;

-- Drop a table's partitions whose month (UTC) ended before a moment; their names. What somebody reads just now is
-- for the next time: nobody is kept waiting behind this.
CREATE OR REPLACE FUNCTION trackside_drop_months(p_table text, p_before timestamptz) RETURNS text[]
LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
  v_month record;
  v_dropped text[] := '{}';
BEGIN
  FOR v_month IN
    SELECT c.oid::regclass AS part, c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = p_table::regclass AND c.relname ~ ('^' || p_table || '_\d{4}_\d{2}$') ORDER BY c.relname
  LOOP
    EXIT WHEN (to_date(right(v_month.name, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' > p_before;
    EXECUTE format('DROP TABLE %s', v_month.part);
    v_dropped := v_dropped || v_month.name;
  END LOOP;
  RETURN v_dropped;
EXCEPTION WHEN lock_not_available THEN
  RETURN '{}';
END $$;

SELECT trackside_open_month(kept, now() + n * interval '1 month')
  FROM unnest(ARRAY['runs_logline', 'runs_span']) AS kept, generate_series(0, 3) AS n;

-- What the model's constraints say, that a final status is final, and that final hooks are owed, whoever writes. One trigger instead of
-- constraints: PostgreSQL reads the text of each anew for every statement, which took a quarter of what a run costs.
CREATE OR REPLACE FUNCTION trackside_check_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.finished_at IS NOT NULL AND NEW.status <> OLD.status THEN
    RAISE EXCEPTION 'run % is % and cannot become %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'check_violation', CONSTRAINT = 'run_final_is_final';
  END IF;
  IF NEW.finished_at IS NULL THEN
    IF NEW.status IN ('PENDING_VERSION', 'DELAYED', 'QUEUED', 'DEQUEUED', 'EXECUTING', 'WAITING') THEN
      RETURN NEW;
    END IF;
  ELSIF NEW.status IN ('COMPLETED', 'CANCELED', 'FAILED', 'CRASHED', 'SYSTEM_FAILURE', 'EXPIRED', 'TIMED_OUT') THEN
    IF NEW.status <> 'COMPLETED' AND TG_OP = 'UPDATE' AND OLD.finished_at IS NULL THEN
      INSERT INTO runs_finalhooks (run_id, due_at, tries, token)
      SELECT NEW.id, NEW.finished_at, 0, '' FROM runs_task t
       WHERE t.id = NEW.task_id
         AND (t.cancel_hooks AND NEW.status = 'CANCELED' OR t.failure_hooks AND NEW.status <> 'CANCELED')
      ON CONFLICT (run_id) DO NOTHING;
    END IF;
    IF NEW.awaited AND TG_OP = 'UPDATE' AND OLD.finished_at IS NULL THEN
      PERFORM trackside_wake(NEW.id);  -- here, because no way to an end leads past it
    END IF;
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'run % is % and its end is %', NEW.id, NEW.status, coalesce(NEW.finished_at::text, 'open')
    USING ERRCODE = 'check_violation', CONSTRAINT = 'run_final_has_end';
END $$;

CREATE OR REPLACE TRIGGER run_is_consistent BEFORE INSERT OR UPDATE ON runs_run FOR EACH ROW
  EXECUTE FUNCTION trackside_check_run();
ALTER TABLE runs_run DROP CONSTRAINT IF EXISTS run_final_has_end;

-- History is appended to, never edited.
CREATE OR REPLACE FUNCTION trackside_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;

CREATE OR REPLACE TRIGGER event_append_only BEFORE UPDATE ON runs_event FOR EACH ROW
  EXECUTE FUNCTION trackside_refuse_edit();
CREATE OR REPLACE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON runs_auditlog FOR EACH ROW
  EXECUTE FUNCTION trackside_refuse_edit();

-- Events are read by run: one index does for the key and the reading.
ALTER TABLE runs_event DROP CONSTRAINT IF EXISTS runs_event_pkey;
DROP INDEX IF EXISTS event_by_run;
ALTER TABLE runs_event ADD CONSTRAINT runs_event_pkey PRIMARY KEY (run_id, id);

-- The queue's own tables churn and must stay small.
ALTER TABLE runs_ready SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE runs_lease SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE runs_bucket SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE runs_schedule SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 200);
ALTER TABLE runs_workersession SET (fillfactor = 50);
ALTER TABLE runs_run SET (fillfactor = 85);

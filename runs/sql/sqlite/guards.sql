CREATE TRIGGER run_final_is_final BEFORE UPDATE OF status ON runs_run FOR EACH ROW
WHEN OLD.finished_at IS NOT NULL AND NEW.status <> OLD.status
BEGIN
  SELECT RAISE(ABORT, 'run_final_is_final: a final status cannot change');
END;

CREATE TRIGGER run_owes_final_hooks AFTER UPDATE OF status ON runs_run FOR EACH ROW
WHEN OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL AND NEW.status <> 'COMPLETED'
BEGIN
  INSERT OR IGNORE INTO runs_finalhooks (run_id, due_at, tries, token)
  SELECT NEW.id, NEW.finished_at, 0, '' FROM runs_task t
   WHERE t.id = NEW.task_id
     AND (t.cancel_hooks AND NEW.status = 'CANCELED' OR t.failure_hooks AND NEW.status <> 'CANCELED');
END;

CREATE TRIGGER event_append_only BEFORE UPDATE ON runs_event FOR EACH ROW
BEGIN
  SELECT RAISE(ABORT, 'event_append_only: runs_event is append-only');
END;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON runs_auditlog FOR EACH ROW
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: runs_auditlog is append-only');
END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON runs_auditlog FOR EACH ROW
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: runs_auditlog is append-only');
END;

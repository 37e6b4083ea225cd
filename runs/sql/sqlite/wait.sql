CREATE TRIGGER run_end_wakes AFTER UPDATE OF status ON runs_run FOR EACH ROW
WHEN NEW.awaited AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL
BEGIN
  DELETE FROM runs_waiter WHERE target = NEW.id;
END;

CREATE TRIGGER last_waiter_resumes AFTER DELETE ON runs_waiter FOR EACH ROW
WHEN OLD.one_suffices OR NOT EXISTS (SELECT 1 FROM runs_waiter WHERE run_id = OLD.run_id)
BEGIN
  UPDATE runs_ready
     SET not_before = (SELECT delay_until FROM runs_run WHERE id = OLD.run_id AND status = 'DELAYED')
   WHERE run_id = OLD.run_id AND not_before IS NOT NULL;
END;

CREATE TRIGGER ready_resumes AFTER UPDATE OF not_before ON runs_ready FOR EACH ROW
WHEN NEW.not_before IS NULL AND EXISTS (SELECT 1 FROM runs_run WHERE id = NEW.run_id AND status = 'WAITING')
BEGIN
  INSERT INTO runs_event (run_id, kind, status, attempt, actor, reason, data, at)
  SELECT id, 'resumed', 'QUEUED', waited_attempt, 'system', '', '', strftime('%Y-%m-%d %H:%M:%f000', 'now')
    FROM runs_run WHERE id = NEW.run_id;
  UPDATE runs_run SET status = 'QUEUED', reason = '', attempt_number = attempt_number - 1,
         updated_at = strftime('%Y-%m-%d %H:%M:%f000', 'now')
   WHERE id = NEW.run_id;
  DELETE FROM runs_waiter WHERE run_id = NEW.run_id;
END;

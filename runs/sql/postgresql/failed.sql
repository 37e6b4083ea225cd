-- A failure, for the group of its error: see runs/fingerprints.py and runs/models/errors.py. `p_mark` is what the
-- error has in common with others of any task; the fingerprint is that of this task's errors.
CREATE OR REPLACE FUNCTION trackside_failed(
  p_run text, p_attempt integer, p_mark text, p_task text, p_version text, p_ended boolean, p_at timestamptz)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO runs_failure (run_id, attempt, fingerprint, version, ended, at)
  VALUES (p_run, p_attempt, left(encode(sha256(convert_to(p_mark || ' ' || p_task, 'UTF8')), 'hex'), 16), p_version,
          p_ended, p_at)
  ON CONFLICT DO NOTHING
$$;

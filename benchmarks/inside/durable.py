"""Runs that remember and wait: queued in one call, or waiting already."""

import json
from typing import Any

from django.db import connection

from benchmarks.inside.seeding import OPEN
from runs import lifecycle
from runs.lifecycle import TriggerItem
from runs.models import Bucket, Run, Source

#: What a suspension leaves behind: half of the runs wait for a token each, half for a day far away.
LEFT = """
WITH run AS (
  SELECT id, row_number() OVER (ORDER BY id) AS i, sort_key FROM runs_run WHERE status = 'WAITING'),
ready AS (
  INSERT INTO runs_ready (run_id, bucket_id, sort_key, not_before, lane, untaken)
  SELECT id, %(bucket)s, sort_key,
         CASE WHEN i %% 2 = 0 THEN '9999-01-01 00:00:00+00' ELSE now() + interval '1 year' END, 0, true
    FROM run),
token AS (
  INSERT INTO runs_waitpoint (id, status, schema, tags, run_id, created_at, completed_by)
  SELECT 'waitpoint_' || substr(id, 5), 'WAITING', '', '[]', id, now(), '' FROM run WHERE i %% 2 = 0),
waiter AS (
  INSERT INTO runs_waiter (target, run_id, one_suffices)
  SELECT 'waitpoint_' || substr(id, 5), id, false FROM run WHERE i %% 2 = 0)
INSERT INTO runs_journal
  (run_id, kind, name, ordinal, attempt, position, status, args, args_hash, span, target, due_at, started_at)
SELECT id, CASE WHEN i %% 2 = 0 THEN 'for' ELSE 'wait' END, '', 1, 1, 1, 'PENDING', '', '', '',
       CASE WHEN i %% 2 = 0 THEN 'waitpoint_' || substr(id, 5) END,
       CASE WHEN i %% 2 = 1 THEN now() + interval '1 year' END, now()
  FROM run"""


def load(measure: str, runs: int, **facts: Any) -> int:
    """`runs` runs of one of the durable tasks; `facts` are their payload."""
    item = TriggerItem(task_id=f"bench-{measure}", payload=json.dumps(facts))
    return len(lifecycle.trigger_many([item] * runs, source=Source.SDK))


def waiting(count: int) -> int:
    """`count` runs that have left their worker to wait."""
    load("waits", count, until=0)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM runs_ready")
        cursor.execute(
            "UPDATE runs_run SET status = 'WAITING', attempt_number = 1, waited_attempt = 1,"
            " started_at = now(), executed_at = now()"
        )
        bucket = Bucket.objects.get(queue__name=OPEN)
        cursor.execute(LEFT, {"bucket": bucket.pk})
        cursor.execute("VACUUM FULL runs_run, runs_ready")
    return Run.objects.filter(status="WAITING").count()

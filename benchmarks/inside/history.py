"""A long history in little time: a million finished runs by one statement, and somebody to look."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from runs.ids import ALPHABET
from runs.models import Queue, Run, Source, Task

DAYS = 90
TASKS = 40
QUEUES = 8
CUSTOMERS = 5_000

#: The ten letters of an id that tell its millisecond, and sixteen that look random.
TIME_LETTERS = " || ".join(
    f"substr('{ALPHABET}', ((ms >> {shift}) & 31)::int + 1, 1)" for shift in range(45, -1, -5)
)
RUN_ID = f"'run_' || {TIME_LETTERS} || substr(md5(i::text), 1, 16)"

#: What each column of the made-up run `i` holds; columns left out are NULL or their default.
COLUMNS = {
    "id": RUN_ID,
    "task_id": "'task-' || task",
    "queue": f"'queue-' || (task % {QUEUES})",
    "status": "status",
    "payload": """'{"order": ' || i || ', "customer": "c-' || (i % 5000) || '"}'""",
    "output": """CASE WHEN status = 'COMPLETED' THEN '{"invoice": ' || i || '}' END""",
    "error": """CASE WHEN status IN ('FAILED', 'CRASHED')
                     THEN '{"name": "ValueError", "message": "no such order", "stack_trace": ""}' END""",
    "tags": "tags::text",
    "sort_key": "ms * 1000",
    "attempt_number": "CASE WHEN is_pending THEN 0 ELSE 1 END",
    "max_attempts": "3",
    "machine": "'small-1x'",
    "is_test": "i % 50 = 0",
    "source": f"'{Source.SDK}'",
    "created_at": "created",
    "queued_at": "CASE WHEN status = 'DELAYED' THEN NULL ELSE created END",
    "delay_until": "CASE WHEN status = 'DELAYED' THEN created + interval '1 day' END",
    "started_at": "CASE WHEN NOT is_pending THEN created + interval '4 milliseconds' END",
    "executed_at": "CASE WHEN NOT is_pending THEN created + interval '5 milliseconds' END",
    "finished_at": "CASE WHEN is_final THEN created + interval '5 milliseconds' * (1 + i % 997) END",
    "updated_at": "created + interval '5 milliseconds' * (1 + i % 997)",
    "usage_ms": "5 * (i % 997)",
}

#: The newest runs are still on their way; 93 of 100 others succeeded. Few tasks make most runs.
MADE_UP = f"""
WITH numbered AS (
  SELECT i, %(start)s::timestamptz + (%(span)s::interval * i / %(count)s) AS created,
         floor({TASKS} * power(random(), 3))::int AS task, random() AS luck
    FROM generate_series(1, %(count)s) AS i),
judged AS (
  SELECT *, (extract(epoch FROM created) * 1000)::bigint AS ms,
         CASE WHEN i > %(count)s - 20 THEN 'EXECUTING'
              WHEN i > %(count)s - 500 THEN 'QUEUED'
              WHEN i > %(count)s - 700 THEN 'DELAYED'
              WHEN luck < 0.93 THEN 'COMPLETED' WHEN luck < 0.97 THEN 'FAILED'
              WHEN luck < 0.985 THEN 'CANCELED' WHEN luck < 0.992 THEN 'TIMED_OUT'
              WHEN luck < 0.996 THEN 'EXPIRED' WHEN luck < 0.999 THEN 'CRASHED'
              ELSE 'SYSTEM_FAILURE' END AS status,
         to_json(array_remove(ARRAY[
           CASE WHEN i % 3 = 0 THEN 'customer-' || (i % {CUSTOMERS}) END,
           CASE WHEN i % 4 = 0 THEN 'nightly' END,
           CASE WHEN i % 10000 = 0 THEN 'rare' END], NULL)) AS tags
    FROM numbered),
made AS (
  SELECT *, status IN ('QUEUED', 'DELAYED') AS is_pending,
         status NOT IN ('QUEUED', 'DELAYED', 'EXECUTING') AS is_final FROM judged)
INSERT INTO runs_run ({{columns}}) SELECT {{values}} FROM made"""

TAGGED = """
INSERT INTO runs_runtag (tag, run_id)
SELECT json_array_elements_text(tags::json), id FROM runs_run WHERE tags <> '[]'"""

ATTEMPTS = """
INSERT INTO runs_attempt (run_id, number, status, session_id, pid, started_at, finished_at)
SELECT id, 1,
       CASE WHEN status IN ('COMPLETED', 'FAILED', 'CRASHED', 'TIMED_OUT', 'CANCELED')
            THEN status ELSE 'FAILED' END,
       'worker_gone', 1, started_at, finished_at
  FROM runs_run WHERE attempt_number = 1 AND finished_at IS NOT NULL"""


def million(count: int) -> int:
    """`count` runs over the last 90 days, with tasks, queues, tags and attempts."""
    now = timezone.now()
    for number in range(QUEUES):
        Queue.objects.get_or_create(name=f"queue-{number}")
    for number in range(TASKS):
        queue = f"queue-{number % QUEUES}"
        Task.objects.get_or_create(
            id=f"task-{number}", defaults={"queue": queue, "registered_at": now}
        )
    span = timedelta(days=DAYS)
    arguments: dict[str, Any] = {"start": now - span, "span": span, "count": count}
    columns, values = _columns()
    statement = MADE_UP.format(columns=columns, values=values).replace(" % ", " %% ")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        cursor.execute(TAGGED)
        cursor.execute(ATTEMPTS)
    return Run.objects.count()


def _columns() -> tuple[str, str]:
    """Names and expressions of every column; a new one takes its default."""
    expressions: dict[str, str] = {}
    for column in Run._meta.concrete_fields:
        default: Any = None if column.null else column.get_default()
        literal = "NULL" if default is None else f"'{default}'"
        expressions[f'"{column.column}"'] = COLUMNS.get(str(column.column), literal)
    return ", ".join(expressions), ", ".join(expressions.values())


def login() -> dict[str, str]:
    """An administrator's session: the cookie a browser would send."""
    user, _ = get_user_model().objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return {name: client.cookies[name].value}

"""Eyes in the database itself: every commit that gives out a slot counts what is out."""

from typing import Any

from django.db import DatabaseError, connection

from tests.support.postgres import Postgres

#: What the connections of the processes that are broken are called.
NAME = "chaos"
TABLE = "CREATE TABLE chaos_breach (run_id text, what text, held integer, allowed integer)"
POSTGRESQL = """
CREATE OR REPLACE FUNCTION chaos_count() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_limit integer;
  v_total integer;
  v_held integer;
BEGIN
  SELECT concurrency_limit, total_limit INTO v_limit, v_total FROM runs_queue WHERE id = NEW.queue_id;
  SELECT count(*) INTO v_held FROM runs_lease WHERE bucket_id = NEW.bucket_id;
  IF v_held > v_limit THEN
    INSERT INTO chaos_breach VALUES (NEW.run_id, 'concurrency_limit', v_held, v_limit);
  END IF;
  SELECT count(*) INTO v_held FROM runs_lease WHERE queue_id = NEW.queue_id;
  IF v_held > v_total THEN
    INSERT INTO chaos_breach VALUES (NEW.run_id, 'total_limit', v_held, v_total);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER chaos_watch AFTER INSERT ON runs_lease DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION chaos_count();
"""
SQLITE = """
CREATE TRIGGER chaos_watch AFTER INSERT ON runs_lease BEGIN
  INSERT INTO chaos_breach
  SELECT NEW.run_id, 'limit', count(*), q.concurrency_limit FROM runs_lease l, runs_queue q
   WHERE q.id = NEW.queue_id AND l.bucket_id = NEW.bucket_id
   GROUP BY q.id HAVING count(*) > q.concurrency_limit;
  INSERT INTO chaos_breach
  SELECT NEW.run_id, 'total', count(*), q.total_limit FROM runs_lease l, runs_queue q
   WHERE q.id = NEW.queue_id AND l.queue_id = NEW.queue_id
   GROUP BY q.id HAVING count(*) > q.total_limit;
END
"""


def install() -> None:
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute(POSTGRESQL if connection.vendor == "postgresql" else SQLITE)


def breaches() -> list[tuple[str, str, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT run_id, what, held, allowed FROM chaos_breach")
        return list(cursor.fetchall())


def damage() -> list[str]:
    """What the database finds wrong with its own files."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA integrity_check")
            found = [row[0] for row in cursor.fetchall() if row[0] != "ok"]
            cursor.execute("PRAGMA foreign_key_check")
            return found + [str(row) for row in cursor.fetchall()]
        return [problem for name in indexes(cursor) if (problem := problem_of(cursor, name))]


def indexes(cursor: Any) -> list[str]:
    """The B-trees of the product's tables; none where amcheck is not installed."""
    cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'")
    if not cursor.fetchone():
        return []
    cursor.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
    cursor.execute(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON"
        " i.indexrelid = c.oid WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relname ~ '^runs_|_by_'"
    )
    return [row[0] for row in cursor.fetchall()]


def problem_of(cursor: Any, name: str) -> str:
    try:
        cursor.execute("SELECT bt_index_check(%s::regclass, true)", [name])
    except DatabaseError as error:
        return str(error)
    return ""


def deadlocks(server: Postgres | None) -> int:
    """How many the server counted, and a server of our own wrote down."""
    if connection.vendor == "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        counted = int(cursor.fetchone()[0])
    written = server.log.read_text().count("deadlock detected") if server else 0
    return max(counted, written)


def backends() -> int:
    """Connections that clusters and web servers still have."""
    if connection.vendor == "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = %s",
            [NAME],
        )
        return int(cursor.fetchone()[0])

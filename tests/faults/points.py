"""Every write of a row is a point at which a test may let a transaction fail, stall or die.

The product knows nothing of it: the points are triggers that the tests put on all tables of `runs`,
and only the connection that is armed takes notice of them. So a new write is a new point by itself.
"""

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import OperationalError, connection, connections

from tests.support.waiting import eventually

#: What a transaction that stalls waits for.
DOOR = 20_240_607
VERBS = ("INSERT", "UPDATE", "DELETE")
#: Appended to by the batch of lines and spans of an attempt, beside every transition.
BESIDE = {"runs_logline", "runs_span"}
POSTGRESQL = """
CREATE OR REPLACE FUNCTION tests_point() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_armed text := current_setting('tests.armed', true);
  v_number integer;
BEGIN
  IF v_armed <> '' THEN
    v_number := coalesce(nullif(current_setting('tests.number', true), ''), '0')::integer + 1;
    PERFORM set_config('tests.number', v_number::text, false);
    PERFORM set_config('tests.seen', concat_ws(' ', nullif(current_setting('tests.seen', true), ''),
                       substr(TG_TABLE_NAME, 6) || '.' || lower(TG_OP)), false);
    IF v_armed = 'error:' || v_number THEN
      RAISE EXCEPTION 'point' USING ERRCODE = 'serialization_failure';
    ELSIF v_armed = 'kill:' || v_number THEN
      PERFORM pg_terminate_backend(pg_backend_pid());
      PERFORM pg_sleep(5);
    ELSIF v_armed = 'stall:' || v_number THEN
      PERFORM pg_advisory_xact_lock({door});
    END IF;
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
"""
BLOCKED = "SELECT coalesce(wait_event_type = 'Lock', false), coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = %s"


def tables() -> list[str]:
    """All tables of the domain."""
    found = {model._meta.db_table for model in apps.get_app_config("runs").get_models()}
    return sorted(found - BESIDE)


@contextmanager
def laid() -> Iterator[None]:
    """The triggers are there; on SQLite each connection has its own."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(POSTGRESQL.replace("{door}", str(DOOR)))
        cursor.execute("; ".join(
            f"CREATE OR REPLACE TRIGGER zz_point BEFORE INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION tests_point()" for table in tables()
        ))  # fmt: skip
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION tests_point() CASCADE")


class Hand:
    """Somebody who works on the database: a thread with a connection of its own.

    One verb at a time. What is armed goes for the next one.
    """

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.armed = ""
        self.seen: list[str] = []
        self.door = threading.Event()
        self.stalls = threading.Event()
        self.pid = self.pool.submit(self._open).result(30)

    def do(self, verb: Callable[[], Any], armed: str = "") -> "Future[Any]":
        """Call the verb. `armed`: "record", or what is to happen at which point, as "kill:3"."""
        self.armed, self.seen = armed, []
        self.door.clear()
        self.stalls.clear()
        return self.pool.submit(self._do, verb)

    def close(self) -> None:
        self.pool.submit(connections.close_all).result(30)
        self.pool.shutdown()

    def _open(self) -> int:
        connection.ensure_connection()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET deadlock_timeout = '100ms'; SET lock_timeout = '20s'")
                cursor.execute("SELECT pg_backend_pid()")
                return int(cursor.fetchone()[0])
        lay_for(self._reached)
        return 0

    def _do(self, verb: Callable[[], Any]) -> Any:
        if connection.connection is None:
            self.pid = self._open()
        self._arm(self.armed)
        try:
            return verb()
        finally:
            self._put_down()

    def _arm(self, armed: str) -> None:
        if connection.vendor == "postgresql" and armed:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('tests.armed', %s, false), set_config('tests.number', '', false), "
                    "set_config('tests.seen', '', false)",
                    [armed],
                )

    def _put_down(self) -> None:
        armed, self.armed = self.armed, ""
        if connection.vendor != "postgresql" or not armed:
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_setting('tests.seen', true)")
                self.seen = (cursor.fetchone()[0] or "").split()
                cursor.execute("SET tests.armed = ''")
        except OperationalError:
            connection.close()  # it was killed

    def _reached(self, name: str) -> None:
        """The same on SQLite."""
        if not self.armed:
            return
        self.seen.append(name)
        if self.armed == f"error:{len(self.seen)}":
            raise RuntimeError("point")
        if self.armed == f"kill:{len(self.seen)}":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.armed == f"stall:{len(self.seen)}":
            self.stalls.set()
            self.door.wait(30)


def lay_for(reached: Callable[[str], None]) -> None:
    """Points of this thread's SQLite connection."""
    raw = connection.connection
    raw.create_function("tests_reached", 1, reached)
    for table in tables():
        for verb in VERBS:
            name = f"{table.removeprefix('runs_')}.{verb.lower()}"
            raw.execute(
                f"CREATE TEMP TRIGGER IF NOT EXISTS point_{table}_{verb.lower()} BEFORE {verb} ON main.{table} "
                f"BEGIN SELECT tests_reached('{name}'); END"
            ).close()


@contextmanager
def stalled(hand: Hand, verb: Callable[[], Any], number: int) -> Iterator["Future[Any]"]:
    """The verb stands still at its point, in its transaction; goes on at the end of the block."""
    if connection.vendor != "postgresql":
        answer = hand.do(verb, f"stall:{number}")
        eventually(lambda: hand.stalls.is_set() or answer.done(), every=0.003)
        try:
            yield answer
        finally:
            hand.door.set()
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [DOOR])
        try:
            answer = hand.do(verb, f"stall:{number}")
            eventually(lambda: answer.done() or is_blocked(hand) == "advisory", every=0.003)
            yield answer
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [DOOR])


def is_blocked(hand: Hand) -> str:
    """What lock its backend waits for; empty for none."""
    with connection.cursor() as cursor:
        cursor.execute(BLOCKED, [hand.pid])
        (blocked, event) = cursor.fetchone() or (False, "")
    return event if blocked else ""


def met(hand: Hand, answer: "Future[Any]") -> bool:
    """Waits until a verb has ended or waits for a lock; whether it waits."""
    if connection.vendor != "postgresql":
        threading.Event().wait(0.02)  # it stands at the gate, or needs none
        return not answer.done()
    eventually(lambda: answer.done() or is_blocked(hand), every=0.003)
    return not answer.done()


def killed(verb: Callable[[], Any], number: int) -> bool:
    """A process is killed at this point of the verb; False when it never came there."""
    if connection.vendor == "postgresql":
        hand = Hand()
        try:
            return isinstance(hand.do(verb, f"kill:{number}").exception(30), OperationalError)
        finally:
            hand.close()
    connection.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        die_at(verb, number)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def die_at(verb: Callable[[], Any], number: int) -> None:
    """In the fork."""
    left = [number]

    def reached(name: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        connection.ensure_connection()
        lay_for(reached)
        verb()
    finally:
        os._exit(0)

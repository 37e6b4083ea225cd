"""A database that refuses: callers are told to come back, nothing is half done, and later all goes on."""

import json
import logging
from contextlib import contextmanager

import psycopg
import pytest
from django.db import OperationalError, connection, connections
from django.test import Client

from dashboard.api import limits
from engine import wakeup
from runs.lifecycle import apikeys, attempts, definitions, store
from runs.models import Event, Run
from tests.faults import outcomes
from tests.support import factories

#: Of those with numbers of their own.
TABLES = ("runs_event", "runs_bucket", "runs_queue")
DISK_FULL, READ_ONLY, TOO_MANY, CANCELED = "53100", "25006", "53300", "57014"
DEADLOCK, SERIALIZATION, LOCKED, SHUTDOWN = "40P01", "40001", "55P03", "57P01"


@pytest.fixture
def api(transactional_db):
    """Triggers `send`; answers with the status."""
    definitions.forget()
    limits.forget()
    factories.task()
    headers = {"authorization": f"Bearer {apikeys.create('tests', actor='cli:tests')[1]}"}

    def trigger(payload=1):
        body = json.dumps({"payload": payload})
        path = "/api/v1/tasks/send/trigger"
        return Client().post(path, body, content_type="application/json", headers=headers)

    assert trigger().status_code == 200
    return trigger


@pytest.fixture
def postgresql():
    if connection.vendor != "postgresql":
        pytest.skip("a fault of PostgreSQL")


@pytest.fixture
def sqlite():
    if connection.vendor != "sqlite":
        pytest.skip("a fault of SQLite")


def refused(api):
    """503, with a sentence and nothing stored."""
    before = Run.objects.count()
    answer = api()
    assert (answer.status_code, "try again" in answer.json()["error"]) == (503, True), (
        answer.content
    )
    assert Run.objects.count() == before


@contextmanager
def told(statement, back):
    with connection.cursor() as cursor:
        cursor.execute(statement)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(back)


@pytest.mark.parametrize(
    "code", [DISK_FULL, TOO_MANY, CANCELED, DEADLOCK, SERIALIZATION, LOCKED, SHUTDOWN, READ_ONLY]
)
def test_what_the_database_refuses_for_now_is_a_503(postgresql, api, code):
    body = f"BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END"
    refuse = (
        f"CREATE FUNCTION tests_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$; "
        "CREATE TRIGGER tests_refuse BEFORE INSERT ON runs_event "
        "FOR EACH ROW EXECUTE FUNCTION tests_refuse()"
    )
    with told(refuse, "DROP FUNCTION tests_refuse() CASCADE"):
        refused(api)
    assert api().status_code == 200


def test_a_locked_table_is_a_503(postgresql, api):
    other = connection.copy()
    other.ensure_connection()
    try:
        other.connection.execute("BEGIN; LOCK TABLE runs_ready IN ACCESS EXCLUSIVE MODE")
        with told("SET lock_timeout = '20ms'", "SET lock_timeout = 0"):
            refused(api)
        other.connection.execute("ROLLBACK")
    finally:
        other.close()
    assert api().status_code == 200


def test_no_connection_is_a_503(api, monkeypatch):
    def full(*_):
        raise OperationalError("sorry, too many clients already")

    before = Run.objects.count()
    connection.close()
    with monkeypatch.context() as patch:
        patch.setattr(type(connections["default"]), "get_new_connection", full)
        assert api().status_code == 503
    assert Run.objects.count() == before
    assert api().status_code == 200


def test_a_full_file_is_a_503_and_goes_on_with_room(sqlite, api):
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # pages that earlier tests left free would be room
        cursor.execute("PRAGMA page_count")
        pages = cursor.fetchone()[0]
    with told(f"PRAGMA max_page_count = {pages + 300}", "PRAGMA max_page_count = 1073741823"):
        answers = [api("x" * 400_000).status_code for _ in range(12)]
        accepted = Run.objects.count() - 1
    assert set(answers) == {200, 503}
    assert answers.count(200) == accepted
    assert Event.objects.count() == accepted + 1
    assert api().status_code == 200


def test_a_file_that_cannot_be_written_is_a_503(sqlite, api):
    with told("PRAGMA query_only = ON", "PRAGMA query_only = OFF"):
        refused(api)
    assert api().status_code == 200


def test_numbers_beyond_32_bits_are_kept(stage):
    far = 2**53
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in TABLES:
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {far})")
        else:
            for table in TABLES:
                cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
                cursor.execute(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, far]
                )
    factories.queue("far", limit=1)
    definitions.forget()
    made = [factories.trigger("send", queue="far").pk for _ in range(2)]
    it = stage.set()
    (claim,) = store.current().claim(it.by.pk, 4)
    assert store.current().start(claim.run_id, claim.token, 1)
    finished = store.current().finish(
        attempts.complete(claim.run_id, claim.token, "1"), store.Next.SAME, 1
    )
    assert {claim.run_id, finished.next.run_id} == set(made)
    assert Event.objects.order_by("-id")[0].pk > far
    outcomes.settle(it)
    outcomes.check(it)


def test_a_hint_that_cannot_be_sent_fails_nothing(caplog, monkeypatch):
    """The server's queue is full, or the server away: it is logged, and the next one tried anew."""
    notifier = wakeup.Notifier.__new__(wakeup.Notifier)
    told = []

    class Link:
        closed = False

        def execute(self, *_):
            told.append(self)
            raise psycopg.errors.ProgramLimitExceeded("too many notifications in the NOTIFY queue")

        def close(self):
            self.closed = True

    class Done(Exception):
        """Ends the thread's loop here."""

    class Messages:
        left = ["ready", "ready"]

        def get(self):
            if not self.left:
                raise Done
            return self.left.pop()

        def empty(self):
            return True

    notifier.waiting, notifier.connection = Messages(), Link()
    monkeypatch.setattr(wakeup, "connect", Link)
    monkeypatch.setattr(wakeup, "QUIET", 0)
    with caplog.at_level(logging.WARNING, "trackside"), pytest.raises(Done):
        notifier.run()
    assert len({id(link) for link in told}) == len(told) == 2
    assert "they will poll" in caplog.text
